"""What README and docs show runs: their Python blocks, in order, in one session a file, and prints what they say."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)")


def blocks(page):
    """(line, code, what it prints or None) of every Python block of a page."""
    text = page.read_text("utf-8")
    return [(text[: match.start()].count("\n") + 2, match[1], match[2]) for match in BLOCK.finditer(text)]


def test_the_pattern_finds_blocks_and_their_output(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n```python\nx = 1\n```\n\nb\n```python\nprint(x)\n```\n\n```text\n1\n```\n", "utf-8")
    assert blocks(page) == [(3, "x = 1\n", None), (8, "print(x)\n", "1\n")]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.name)
def test_blocks_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session = {"__name__": "page"}
    for line, code, expected in blocks(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{page.name}, the block at line {line}", "exec"), session)
        if expected is not None:
            assert printed.getvalue() == expected, f"{page.name}:{line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
