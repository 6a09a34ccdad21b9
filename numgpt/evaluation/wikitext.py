r"""WikiText by pages, as in the lm-evaluation-harness: the model reads prose, and the sum is divided by the words and
bytes of the page as it is published, so that models with different vocabularies can be compared.

    " = Kiss You = \n \n It reached 1 @,@ 500 ( or \" more \" ) . \n"     a page as it is published
    " = Kiss You =\n\nIt reached 1,500 (or \"more\").\n"                  as it is read
"""

import re

from numgpt.evaluation import figures
from numgpt.evaluation.texts import first_token
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import rolling


def inside(left, right):
    """The rule that removes whitespace just inside a pair of marks."""
    left_, right_ = re.escape(left), re.escape(right)
    return re.compile(rf"{left_}\s*([^{right_}]*?)\s*{right_}"), rf"{left}\1{right}"


# (what, its replacement), in this order, as in the harness. The second rule has another tool's slashes around its
# pattern and brackets in its replacement, so that it rarely matches; the published numbers were made with it.
RULES = [
    *[("s '", "s'"), (re.compile("/' [0-9]/"), "/'[0-9]/")],
    *[(f" @{mark}@ ", mark) for mark in "-,."],
    *[(f" {mark} ", f"{mark} ") for mark in ":;.!?,"],
    *[inside(*pair) for pair in ("()", "[]", "{}", '""', "''")],
    *[("= = = =", "===="), ("= = =", "==="), ("= =", "==")],
    *[(" \N{DEGREE SIGN} ", "\N{DEGREE SIGN}"), (" \n", "\n"), ("\n ", "\n"), (" N ", " 1 "), (" 's", "'s")],
]


def detokenise(page):
    """A page of WikiText as prose. Not invertible: " N " becomes " 1 "."""
    for what, by in RULES:
        page = page.replace(what, by) if isinstance(what, str) else what.sub(by, page)
    return page


def pages(text):
    """WikiText's file cut before each first-level heading, " = Title = ", without blank pages."""
    pages, lines = [], []
    for line in text.split("\n"):
        if is_title(line):
            pages.append("\n".join(lines))
            lines = []
        lines.append(line)
    pages.append("\n".join(lines))
    return [page for page in pages if page.strip()]


def is_title(line):
    """Whether a line is a first-level heading; deeper ones, " = = Title = = ", have more marks."""
    line = line.replace("= = =", "===").replace("= =", "==").strip()
    return line.startswith("= ") and line.endswith(" =")


def page_units(text, name, tokenizer, n_ctx):
    """(Units, {}): one Unit per page, with the words and bytes of the page as it is published."""
    first, units = first_token(tokenizer), []
    for page in pages(text):
        ids = list(tokenizer.encode(detokenise(page)))
        about = {"words": len(re.split(r"\s+", page)), "bytes": len(page.encode("utf-8"))}
        units.append(Unit(rolling(ids, n_ctx, first), about))
    return units, {}


def record(unit, scores):
    """The record of a page."""
    nats, tokens = sum(score.nats for score in scores), sum(len(score.logprobs) for score in scores)
    return {"nats": nats, "tokens": tokens, **unit.about}


def reduce(records, totals):
    """The figures. Every page records its own words and bytes, so a part of the text has all figures too."""
    found = figures.of_text(records, {key: sum(record[key] for record in records) for key in ("words", "bytes")})
    nats, words = found["sum_logprob_nats"], sum(record["words"] for record in records)
    stderr = figures.stderr_of_ratio([(record["nats"], record["words"]) for record in records])
    return {**found, "stderr": figures.exp_stderr(-nats / words, stderr), "stderr_of": "word_perplexity"}
