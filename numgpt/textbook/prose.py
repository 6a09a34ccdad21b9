"""Sentences and lines of code in HTML."""

import re
from html import escape

from numgpt.textbook.formulas import GREEK, FormulaError, Known, symbol

KEYWORDS = re.compile(r"\b(def|return|for|in|if|else|is|not|None|with|lambda)\b")
PLAIN = re.compile(
    r"^(d?)([A-Za-z])$"
)  # a letter, or its gradient; as text, it stays on one line with a comma after it
WORD = re.compile(r"(?<![\w'’.\-])[A-Za-z]\w*(?:'(?!\w))?(?:\[[^\]]*\]|\([a-z]\))?(?![\w’])")


def prose(text: str, known: Known) -> str:
    """A text in HTML: text in ` as code; letters, and names with an index or a subscript, as in formulas."""
    pieces = re.split(r"`([^`]*)`", text)
    for i, piece in enumerate(pieces):
        pieces[i] = f"<code>{escape(piece, quote=False)}</code>" if i % 2 else typeset(piece, known)
    return "".join(pieces)


def typeset(text: str, known: Known) -> str:
    """A text without code in HTML."""
    found, end = "", 0
    for match in WORD.finditer(text):
        if not is_symbol(match[0]):
            continue
        try:
            math = PLAIN.sub(r"\1<var>\2</var>", match[0])
            if math == match[0]:
                math = symbol(match[0], known)
        except FormulaError:  # a word of the language, or a name of the code
            continue
        found += escape(text[end : match.start()], quote=False) + math
        end = match.end()
    return found + escape(text[end:], quote=False)


def is_symbol(word: str) -> bool:
    """Whether it looks like a symbol, and not like a word that is also the name of a tensor."""
    base = re.split(r"[\[(]", word)[0]
    letter = base.rstrip("'").removeprefix("d")
    return word not in ("a", "A", "I", "sum") and (
        base != word or "_" in word or len(letter) < 2 or base in GREEK or "hat" in base
    )


def code(text: str) -> str:
    """A line of Python in HTML: keywords and comments set apart."""
    statement, mark, comment = text.partition("  # ")
    found = KEYWORDS.sub(r"<b>\1</b>", escape(statement, quote=False))
    return found + (f"<i>{escape(mark + comment, quote=False)}</i>" if mark else "")
