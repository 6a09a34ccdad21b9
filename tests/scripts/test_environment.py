"""The launchers' environment: set up once, however many of them start at once, in a folder with a space in its name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

# A Python that makes environments and installs packages by writing a line into the file made.log, slowly.
PYTHON = f"""#!/usr/bin/env bash
case "$1 $2" in
    "-m venv") echo venv >> "$LOG"; sleep 0.3; mkdir -p "$4/bin"; cp "$0" "$4/bin/python";;
    "-m pip") echo "$PWD: ${{@:3}}" >> "$LOG"; sleep 0.3;;
    "-c import pip") [ "${{0%/.venv/bin/python}}" != "$0" ];;
    *) exec "{sys.executable}" "$@";;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """The root of a checkout without an environment."""
    root = tmp_path / "a folder"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPTS / "environment.sh", root / "scripts")
    (root / "setup.cfg").touch()
    (root / "scripts" / "launch").write_text('. "${0%/*}/environment.sh" launch -e .\necho "$venv/bin/python"\n')
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return root


def launch(root, n=1):
    """Start the launcher n times at once; return what the environments are and what was made for them."""
    log = root / "made.log"
    log.write_text("")
    settings = os.environ | {"PYTHON": str(root.parent / "python"), "LOG": str(log)}
    command = ["bash", str(root / "scripts" / "launch")]
    launched = [
        subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/")
        for _ in range(n)
    ]
    printed = {process.communicate()[0] for process in launched}
    return printed, log.read_text().splitlines()


def test_launchers_that_start_at_once_make_one_environment(checkout):
    printed, made = launch(checkout, 4)
    assert printed == {f"{checkout}/.venv/bin/python\n"}
    assert made == ["venv", f"{checkout}: install --quiet --disable-pip-version-check -e ."]
    assert launch(checkout) == (printed, [])


def test_a_newer_setup_cfg_is_installed_and_a_broken_environment_made_again(checkout):
    launch(checkout)
    os.utime(checkout / "setup.cfg", (2**32, 2**32))
    assert [line.split()[-1] for line in launch(checkout)[1]] == ["."]
    os.utime(checkout / "setup.cfg", (0, 0))
    (checkout / ".venv" / "bin" / "python").unlink()
    assert launch(checkout)[1][0] == "venv"
