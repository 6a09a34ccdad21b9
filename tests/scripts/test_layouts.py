"""The table of layouts in docs/models.md is what the script that tries them prints."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_table_in_the_documentation():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    command = [sys.executable, ROOT / "scripts" / "tools" / "layouts"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr
    assert found.stdout in (ROOT / "docs" / "models.md").read_text("utf-8")
