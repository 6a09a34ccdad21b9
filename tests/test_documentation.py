"""What README and docs show runs: their Python blocks, in order, in one session a file, and prints what they say."""

import re

import pytest

import numgpt
from tools.include_sources import PAGES, ROOT, quoted_source, refreshed
from tools.run_blocks import blocks, run, with_outputs

CITATION = re.compile(r"[A-Z]\w+(?:, [A-Z]\w+)*(?: and [A-Z]\w+| et al\.) \d{4}\b")
LINK = re.compile(r"\]\(([^)#\s]+)")
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def test_blocks_and_their_output_are_found():
    page = "a\n```python\nx = 1\n```\n\nb\n```python\nprint(x)\n```\n\n```text\n2\n```\n"
    assert [(block.line, block.code, block.output) for block in blocks(page)] == [
        (3, "x = 1\n", None),
        (8, "print(x)\n", "2\n"),
    ]
    assert with_outputs(page, "page") == page.replace("2", "1")


def test_a_block_that_quotes_the_source_is_not_run():
    assert blocks("```python\n# include: numgpt/layers/loss.py::IGNORE\nIGNORE = -1\n```\n") == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page.read_text("utf-8"))], ids=lambda page: page.name
)
def test_blocks_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block, printed in run(page.read_text("utf-8"), page.name):
        if block.output is not None:
            assert printed == block.output, (
                f"{page.name}:{block.line}; python scripts/tools/run_blocks.py writes it anew"
            )


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
    targets = [target for target in LINK.findall(FENCED.sub("", page.read_text("utf-8"))) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_every_paper_that_the_source_cites_is_among_the_sources():
    sources = (ROOT / "docs" / "sources.md").read_text("utf-8")
    papers = sources[sources.index("## The papers") :]
    for path in sorted((ROOT / "numgpt").rglob("*.py")):
        for citation in CITATION.findall(" ".join(path.read_text("utf-8").split())):
            assert f"- {citation}. " in papers, f"{path.relative_to(ROOT)} cites {citation}"


@pytest.mark.parametrize(
    ("page", "words"), [("CITATION.cff", "version: {}\n"), ("docs/sources.md", "version = {{{}}},\n")]
)
def test_the_version_to_cite_is_the_present_one(page, words):
    assert words.format(numgpt.__version__) in (ROOT / page).read_text("utf-8")
