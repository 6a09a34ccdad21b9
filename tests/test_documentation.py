"""What README and docs show runs: their Python blocks, in order, in one session a file, and prints what they say."""

import contextlib
import io
import re

import pytest

from tools.include_sources import PAGES, quoted_source, refreshed

BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)")


def blocks(page):
    """(line, code, what it prints or None) of every Python block of a page that does not quote the source."""
    text = page.read_text("utf-8")
    found = [(text[: match.start()].count("\n") + 2, match[1], match[2]) for match in BLOCK.finditer(text)]
    return [block for block in found if not block[1].startswith("# include: ")]


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
def test_quoted_sources_stand_as_they_are(page):
    text = page.read_text("utf-8")
    assert text == refreshed(text), "python scripts/tools/include_sources.py puts the present source in"


def test_what_can_be_quoted():
    assert quoted_source("numgpt/layers/linear.py", "linear").startswith("@definition\ndef linear(x, weight, bias):")
    assert quoted_source("numgpt/model/block.py", "Block.backward").startswith("def backward(self, dy")
    assert quoted_source("numgpt/layers/loss.py", "IGNORE").startswith("IGNORE = -1")
    assert quoted_source("numgpt/layers/attention.py", "formulas[1]").startswith("dv = dropout(p)^T do\n")
    assert quoted_source("numgpt/model/block.py", "Block.formulas[0]").startswith("h = x + attn( ln_1(x) )\n")
    with pytest.raises(LookupError, match=r"there is no numgpt/layers/linear.py::linera"):
        quoted_source("numgpt/layers/linear.py", "linera")


def test_a_quotation_that_went_stale_is_replaced():
    stale = "a\n```python\n# include: numgpt/layers/loss.py::IGNORE\nold\n```\nb\n"
    assert "IGNORE = -1" in refreshed(stale)
    assert "old" not in refreshed(stale)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = [target for target in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing
