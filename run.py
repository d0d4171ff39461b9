"""Two commands that need only Python 3.11 and pip; everything is installed inside this folder.

python3 run.py demo [OPTIONS]   run `lawful study microscope` into out/microscope
python3 run.py test [OPTIONS]   run the tests with pytest

Options are passed on; paths count from this folder.
The first run installs into .venv; delete that folder to start afresh.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BIN, EXE = (ROOT / ".venv/Scripts", ".exe") if os.name == "nt" else (ROOT / ".venv/bin", "")
PYTHON = str(BIN / f"python{EXE}")
COMMANDS = {  # name: (extras to install, what to run)
    "demo": ("", [str(BIN / f"lawful{EXE}"), "study", "microscope", "--out", "out/microscope"]),
    "test": ("[test]", [PYTHON, "-m", "pytest", "-n", "2", "--dist", "worksteal"]),
}


def step(doing, *command):
    """Run one command quietly, saying what it is and how long it took; return its output if it failed."""
    print(doing, end=" ... ", flush=True)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    print(f"{'failed after ' if done.returncode else ''}{time.perf_counter() - start:.1f} s", flush=True)
    return done.stdout.decode(errors="replace") + "\n" if done.returncode else ""


def install(extras):
    """Make .venv hold the package and its extras, unless the stamp inside says that it already does."""
    stamp, project = ROOT / ".venv/installed.txt", f"{ROOT}\n{(ROOT / 'pyproject.toml').read_text('utf-8')}"
    if Path(PYTHON).exists() and stamp.exists() and stamp.read_text("utf-8") in (extras + project, "[test]" + project):
        return
    stamp.unlink(missing_ok=True)
    pip = [PYTHON, "-m", "pip"]
    if not Path(PYTHON).exists() or subprocess.run([*pip, "--version"], capture_output=True).returncode:
        failure = step("making .venv", sys.executable, "-m", "venv", "--clear", str(ROOT / ".venv"))
        if failure:
            sys.exit(failure + "Python could not make .venv; on Debian and Ubuntu, install python3-venv first.")
    uv = [PYTHON, "-m", "uv", "pip", "install", "-q", "--python", PYTHON]
    failure = step("installing uv", *pip, "install", "-q", "uv")
    if not failure:
        failure = step(f"installing lawful{extras} with uv", *uv, "-e", f".{extras}")
    if failure:
        print("uv cannot be had here, so pip installs the package, more slowly.")
        failure = step(f"installing lawful{extras} with pip", *pip, "install", "-q", "-e", f".{extras}")
    if failure:
        sys.exit(failure + "lawful could not be installed, for the reason above.")
    stamp.write_text(extras + project, "utf-8")


def main(arguments):
    """Install what the command needs and run it; return its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036, this file is what an older Python is given to run
        sys.exit(f"lawful needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__.strip())
        return 0
    if arguments[0] not in COMMANDS:
        sys.exit(f"run.py has no command {arguments[0]!r}; it has {' and '.join(COMMANDS)}.")
    extras, command = COMMANDS[arguments[0]]
    install(extras)
    print("running", Path(command[0]).stem, *command[1:], *arguments[1:], flush=True)
    return subprocess.call([*command, *arguments[1:]], cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
