"""docs/explain.html is what numgpt makes today: in its words and code, whatever processor made its numbers."""

import json
import re
from pathlib import Path

import numgpt
from numgpt import explain
from tools.make_explain_docs import DOCS, MODEL, PICTURES, PROMPT

REMEDY = "python scripts/tools/make_explain_docs.py makes it anew"


def apart(page):
    """(everything around the data, strings, what the numbers say in words)."""
    match = re.search('id="data">(.*?)</script>', page, re.S)
    data = json.loads(match[1])
    numbers = {key: data["numbers"][key] for key in ("about", "sources", "tokens")}
    return page[: match.start()] + page[match.end() :], data["strings"], numbers, sorted(data["numbers"])


def test_the_page_in_the_docs_is_current():
    model, tokenizer = numgpt.load(MODEL)
    now = explain.page(explain.gather(explain.read_subject(model, tokenizer, PROMPT), MODEL, steps=0))
    for found, expected in zip(apart((DOCS / "explain.html").read_text("utf-8")), apart(now), strict=True):
        assert found == expected, REMEDY


def test_every_picture_is_shown_and_small():
    text = (DOCS / "explain.md").read_text("utf-8")
    files = {path.name for path in (DOCS / "explain").iterdir()}
    assert files == {f"{name}.png" for name in PICTURES} | {"overview.png"}
    assert {Path(name).stem for name in re.findall(r"\]\(explain/([^)]*)\)", text)} == set(PICTURES)
    assert sum(path.stat().st_size for path in (DOCS / "explain").iterdir()) < 1_000_000
