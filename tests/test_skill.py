"""SKILL.md works as written: its blocks run in order in one shell, and print what the page says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "SKILL.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(bash setup|bash|text)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
# The only block that is not run as written makes .venv; this is what it runs there.
DEMO = "lawful study microscope --out out/microscope"


@pytest.fixture
def shell(tmp_path):
    """Runs a script in a copy of the package, with this interpreter as python and its lawful on PATH."""
    shutil.copytree(ROOT / "lawful", tmp_path / "lawful", ignore=shutil.ignore_patterns("__pycache__"))
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name, code in (("python", ""), ("lawful", '-c "from lawful.cli import main; main()" ')):
        (scripts / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {code}"$@"\n')
        (scripts / name).chmod(0o755)
    path = os.pathsep.join([str(scripts), os.environ["PATH"]])

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def steps(section: str) -> list[tuple[str, str]]:
    """Each command block of a numbered section (all, if empty) and the output that the page expects of it."""
    page = PAGE[PAGE.index(section) :] if section else PAGE
    blocks = re.findall(r"^```(bash setup|bash|text)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    found = []
    for kind, text in blocks:
        if kind == "text":
            found[-1] = (found[-1][0], text)
        else:
            found.append((text.replace("python3 run.py demo", DEMO) if kind == "bash setup" else text, ""))
    return found


def follow(section: str, shell) -> None:
    for commands, expected in steps(section):
        printed = shell(commands).splitlines()
        assert [line for line in expected.splitlines() if line not in printed] == [], commands


def test_the_page_describes_itself():
    matter = PAGE.split("---")[1]
    assert {line.split(":")[0] for line in matter.strip().splitlines()} == {"name", "description", "allowed-tools"}
    assert [kind for kind, _ in BLOCKS].count("bash setup") == 1 and len(PAGE.splitlines()) < 130


def test_setup_runs_what_run_py_runs():
    assert f"run `{DEMO.split(' --')[0]}` into out/microscope" in (ROOT / "run.py").read_text("utf-8")
    assert f"`{DEMO}`" in PAGE


def test_the_study_can_be_extended_as_the_page_says(shell):
    follow("## 4. Extend", shell)


@pytest.mark.slow
def test_every_block_runs_as_written(shell):
    follow("", shell)
