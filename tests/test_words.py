"""Words that readers stumbled over, or that say a second time what the glossary has a word for, do not come back."""

import re

import pytest

from tools.include_sources import PAGES, ROOT

# What is not to be written -> what is.
BANNED = {
    r"comes along": "bundled",
    r"'s manner": "in the style of",
    r"\b(?:go|goes|going|went) on (?:in|with|from|where|below)\b": "continue",
    r"by the driver": "whichever your driver supports",
    r"publicly known": "published",
    r"some (?:seconds|minutes|hours)": "a few, or the time that was measured and the processor",
    r"\b1 tokens\b": "1 token",
    r"as ever\b": "leave it out",
    r"as everyone does": "by convention",
    r"\blest\b": "so that ... not",
    r"make it again": "recreate it",
    r"have the disk": "flush to disk",
    r"optimiser": "optimizer, as the files are called",
    r"(?<!\")\blearned\b(?!\")": "learnt",
    r"\bbends?\b(?! at| on)": "activation function",
    r"\ba blank\b(?! line)|\bblanks\b": "space",
    r"0: any": "what the number limits",
}
TEXTS = sorted(
    {*PAGES, ROOT / "weights" / "README.md", *(ROOT / "numgpt").rglob("*.py"), *(ROOT / "numgpt").rglob("*.en.json")}
)


@pytest.mark.parametrize("banned", BANNED)
def test_no_banned_word_is_used(banned):
    pattern = re.compile(banned, re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEXTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"instead: {BANNED[banned]}"


@pytest.mark.parametrize(
    "text", ["it goes on with the text", "the optimiser", "in some minutes", "two blanks", "the bend"]
)
def test_banned_words_are_found(text):
    assert any(re.search(banned, text, re.IGNORECASE) for banned in BANNED)
