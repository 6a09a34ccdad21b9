"""HellaSwag (Zellers et al. 2019): which of four endings continues a context. Two protocols are in use.

    lm-eval     "Roof shingle removal: A man is sitting on a roof. He"    + " starts pulling up roofing on a roof."
    llm.c       "A man is sitting on a roof. he"                          + " starts pulling up roofing on a roof."

Both choose the ending with the largest log-probability (`accuracy`), and the one for which this is largest after
division by the ending's length (`accuracy_norm`), in characters for the first and in tokens for the second.
"""

import re

import numpy as np

from numgpt.errors import InputError
from numgpt.evaluation import figures
from numgpt.evaluation.lines import json_lines, text_field
from numgpt.evaluation.pairs import split_ids, unit_of_endings
from numgpt.files import quoted

BRACKETS = re.compile(r"\[.*?\]")  # WikiHow's marks: [header], [step], [substeps]


def clean(text):
    """A text without the marks of the WikiHow part, removed as in the lm-evaluation-harness.

    >>> clean("How to sew [title] Thread it. [step] Take  a needle")
    'How to sew. Thread it. Take a needle'
    """
    return BRACKETS.sub("", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def harness_units(text, name, tokenizer, n_ctx):
    """(Units, {}): the lm-evaluation-harness's prompts, and the lengths of the endings in characters."""
    units = []
    for where, row in json_lines(text, name):
        endings, label = read_endings(row, where)
        a, b, activity = (text_field(row, key, where) for key in ("ctx_a", "ctx_b", "activity_label"))
        context = clean(f"{activity}: {a} {b.capitalize()}")
        endings = [clean(ending) for ending in endings]
        pairs = [split_ids(context, " " + ending, tokenizer) for ending in endings]
        lengths = [len(ending) for ending in endings]
        units.append(
            unit_of_endings(pairs[0][0], [ids for _, ids in pairs], n_ctx, where, label=label, lengths=lengths)
        )
    return units, {}


def llm_c_units(text, name, tokenizer, n_ctx):
    """(Units, {}): llm.c's prompts, context and ending encoded separately, and the lengths in tokens."""
    units = []
    for where, row in json_lines(text, name):
        endings, label = read_endings(row, where)
        context = list(tokenizer.encode(text_field(row, "ctx", where)))
        ids = [list(tokenizer.encode(" " + ending)) for ending in endings]
        units.append(unit_of_endings(context, ids, n_ctx, where, label=label, lengths=[len(each) for each in ids]))
    return units, {}


def read_endings(row, where):
    """(endings, index of the right one) of a row. Raises InputError if they are not in HellaSwag's form."""
    endings, label = row.get("endings"), row.get("label")
    if not isinstance(endings, list) or len(endings) < 2 or not all(isinstance(text, str) for text in endings):
        raise InputError(f"{where}: 'endings' must be a list of two texts or more, not {quoted(endings)}")
    if isinstance(label, str) and label.isdecimal():  # as some copies have it
        label = int(label)
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(endings):
        raise InputError(
            f"{where}: 'label' must say which of the {len(endings)} endings is right, from 0, not {quoted(label)}"
        )
    return endings, label


def record(unit, scores):
    """The record of a row: the endings' log-probabilities, and everything needed to choose among them."""
    return {"nats": [score.nats for score in scores], "tokens": [len(score.logprobs) for score in scores], **unit.about}


def reduce(records, totals):
    """The accuracies; of equally good endings the first is chosen."""
    right = [np.argmax(record["nats"]) == record["label"] for record in records]
    right_norm = [np.argmax(per_length(record)) == record["label"] for record in records]
    norm = figures.accuracy("accuracy_norm", right_norm)
    return {
        "tokens_scored": sum(sum(record["tokens"]) for record in records),
        **norm,
        **figures.accuracy("accuracy", right),
        "stderr": norm["accuracy_norm_stderr"],
        "stderr_of": "accuracy_norm",
        **figures.cuts(records),
    }


def per_length(record):
    """Each ending's nats divided by its length; one that the harness's rules left without characters ranks last."""
    pairs = zip(record["nats"], record["lengths"], strict=True)
    return [nats / length if length else -np.inf for nats, length in pairs]
