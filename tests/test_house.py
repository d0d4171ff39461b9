"""House rules that no other tool checks: public names, sizes, names, light imports, the README's commands."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import lawful

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "lawful"
NOUNS_AND_VERBS = "Runs Law Fit Forecast Plan read fit forecast diagnose validate compare plan report".split()
FORBIDDEN = "util utils helper helpers common core base manager managers engine engines".split()
HEAVY = "scipy polars matplotlib pandas pydantic statsmodels torch".split()


def python(code: str) -> str:
    """What `code` prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources() -> list[Path]:
    """Every Python file of the project."""
    folders = [ROOT / name for name in ("lawful", "tests", "benchmarks", "docs")]
    return [ROOT / "run.py", *sorted(file for folder in folders for file in folder.rglob("*.py"))]


def modules() -> list[str]:
    """Every module of the package whose import must stay light: all but the lab, which needs torch."""
    files = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return [name for name in names if not name.startswith("lawful.lab") and not name.endswith("__main__")]


def tracked() -> list[tuple[str, str]]:
    """Name and text of every text file that is, or would be, committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and the repository, to list the files that are tracked")
    files = [(name, (ROOT / name).read_bytes()) for name in names if (ROOT / name).is_file()]
    return [(name, content.decode(errors="replace")) for name, content in files if b"\0" not in content]


def matches(pattern: str, files: list[tuple[str, str]]) -> list[str]:
    """Each line in `files` where `pattern` is found, as file:line."""
    found = re.compile(pattern).search
    return [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in files
        for number, line in enumerate(text.splitlines(), start=1)
        if found(line)
    ]


# ---- public names


def test_all_is_sorted_and_every_name_can_be_imported():
    assert lawful.__all__ == sorted(set(lawful.__all__))
    assert set(lawful.__all__) <= set(dir(lawful))
    assert [name for name in lawful.__all__ if not hasattr(lawful, name)] == []


def test_all_is_complete():
    defined = {
        node.name
        for file in PACKAGE.glob("*.py")
        for node in ast.parse(file.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert defined.intersection(NOUNS_AND_VERBS) - set(lawful.__all__) == set()


def test_a_public_name_is_never_hidden_by_the_module_of_the_same_name():
    """Importing lawful.fit makes Python set the attribute `fit` of the package to the module."""
    code = f"""
import importlib, json, types, lawful
[importlib.import_module(name) for name in {modules()!r}]
print(json.dumps([name for name in lawful.__all__ if isinstance(getattr(lawful, name), types.ModuleType)]))
"""
    assert json.loads(python(code)) == []


def test_imports_stay_light():
    code = f"""
import importlib, json, sys
blame = {{}}
for module in {modules()!r}:
    importlib.import_module(module)
    for heavy in {HEAVY!r}:
        if heavy in sys.modules:
            blame.setdefault(heavy, module)
print(json.dumps(blame))
"""
    blame = json.loads(python(code))
    assert blame == {}, "import these inside the function that needs them (name: first module that imports it)"


# ---- sizes and names


def test_no_file_is_too_long():
    sizes = {file.relative_to(ROOT): len(file.read_text("utf-8").splitlines()) for file in sources()}
    limit = {file: 500 if file.parts[:2] == ("lawful", "laws") else 400 for file in sizes}
    assert [f"{file}: {size} lines, {limit[file]} allowed" for file, size in sizes.items() if size > limit[file]] == []


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield file.relative_to(ROOT), node


def lines_of_code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body: a signature with many options and a docstring that says all it has to are no complexity."""
    first = node.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return node.end_lineno - (first.end_lineno if is_text else first.lineno - 1)


def test_no_function_is_too_long():
    sizes = [(f"{file}:{node.lineno} {node.name}", lines_of_code(node)) for file, node in functions()]
    assert [f"{name}: {size} lines, 40 allowed" for name, size in sizes if size > 40] == []


def test_folders_are_flat():
    deep = [file.relative_to(PACKAGE) for file in PACKAGE.rglob("*") if "__pycache__" not in file.parts]
    assert [str(file) for file in deep if len(file.parts) > 2] == []


def test_modules_are_named_after_their_idea():
    assert [str(file) for file in PACKAGE.rglob("*") if file.stem.lstrip("_") in FORBIDDEN] == []


# ---- tracked text


def test_no_absolute_paths():
    pattern = r"(?<![\w.~])/(wor[k]|hom[e]|roo[t]|User[s])\b(?!\.)|\b[A-Z]:\\User[s]"
    assert matches(pattern, [("", "cd /" + "work/x"), ("", "see example.org/" + "work and ../" + "home/x")]) == [
        ":1: cd /" + "work/x"
    ]
    assert matches(pattern, tracked()) == []


def test_nothing_is_left_for_later():
    written = [(name, text) for name, text in tracked() if not name.endswith((".csv", ".min.js", ".jsonl"))]
    assert matches(r"\b(TOD[O]|FIXM[E]|XX[X])\b", written) == []


# ---- run.py and the README


@pytest.fixture
def run() -> ModuleType:
    """run.py as a module, so that nothing is installed."""
    spec = importlib.util.spec_from_file_location("run", ROOT / "run.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_run_alone_prints_its_usage(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "run.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "run.py demo" in done.stdout and "run.py test" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_run_names_its_commands_when_given_another(run):
    with pytest.raises(SystemExit, match="no command 'tests'; it has demo and test"):
        run.main(["tests"])


def test_run_refuses_an_old_python(run, monkeypatch):
    monkeypatch.setattr(run.sys, "version_info", (3, 10, 13))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer"):
        run.main(["test"])


def test_run_installs_once_and_again_when_pyproject_changes(run, monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text("one")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "python").touch()
    doings = []
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "PYTHON", str(tmp_path / ".venv" / "python"))
    monkeypatch.setattr(run, "step", lambda doing, *command: doings.append(doing) or "")
    monkeypatch.setattr(run.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0))
    demo, test = (
        ["installing uv", "installing lawful with uv"],
        ["installing uv", "installing lawful[test] with uv"],
    )
    for extras, project, expected in [
        ("", "one", demo),
        ("", "one", []),
        ("[test]", "one", test),
        ("", "one", []),  # what the tests need holds all that the demo needs
        ("", "two", demo),
    ]:
        (tmp_path / "pyproject.toml").write_text(project)
        doings.clear()
        run.install(extras)
        assert doings == expected


def test_run_falls_back_to_pip_without_uv(run, monkeypatch, tmp_path, capsys):
    (tmp_path / "pyproject.toml").write_text("one")
    doings = []

    def step(doing, *command):
        (tmp_path / ".venv").mkdir(exist_ok=True)
        doings.append(doing)
        return "no such package\n" if doing == "installing uv" else ""

    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "PYTHON", str(tmp_path / ".venv" / "python"))
    monkeypatch.setattr(run, "step", step)
    run.install("")
    assert doings == ["making .venv", "installing uv", "installing lawful with pip"]
    assert "uv cannot be had here" in capsys.readouterr().out


def unknown_commands(text: str, run: ModuleType) -> list[str]:
    """The commands shown in `text` that do not exist: `run.py X`, `lawful X`, `lawful.x(...)`."""
    shown = set(re.findall(r"run\.py (\w+)", text)) - set(run.COMMANDS)
    names = set(re.findall(r"\blawful\.(\w+)\(", text)) - set(lawful.__all__)
    missing = [f"run.py {name}" for name in shown] + [f"lawful.{name}" for name in names]
    for name in set(re.findall(r"^(?:\$ )?lawful ([a-z]\w*)", text, flags=re.MULTILINE)):
        command = [sys.executable, "-c", "from lawful.cli import main; main()", name, "--help"]
        if subprocess.run(command, cwd=ROOT, capture_output=True).returncode:
            missing.append(f"lawful {name}")
    return sorted(missing)


def test_the_readme_shows_commands_that_exist(run):
    text = "python3 run.py dmeo\nlawful ftt runs.csv\nlawful.ftt(runs)\n"
    assert unknown_commands(text, run) == ["lawful ftt", "lawful.ftt", "run.py dmeo"]
    readme = (ROOT / "README.md").read_text("utf-8")
    if "```" not in readme:
        pytest.skip("the README shows no commands")
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", readme, flags=re.DOTALL))
    assert unknown_commands(blocks, run) == []
    assert "python3 run.py demo" in blocks and "python3 run.py test" in blocks


@pytest.mark.skipif(os.name == "nt", reason="shell scripts carry no mode on Windows")
def test_continuous_integration_runs_what_the_readme_says():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"python3 run\.py test$", script.read_text("utf-8"), flags=re.MULTILINE)
