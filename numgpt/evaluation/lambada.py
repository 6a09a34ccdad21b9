"""LAMBADA (Paperno et al. 2016): the last word of a passage, which can only be guessed from the whole passage.

    {"text": "... He'd never seen such a big dog"}

OpenAI's file has one passage per line. Two protocols are in use: all tokens of the last word, after the words before it
(the lm-evaluation-harness), or the last token alone, which may be only the end of a word and is guessed more often.
"""

from numgpt.errors import InputError
from numgpt.evaluation import figures
from numgpt.evaluation.lines import json_lines, text_field
from numgpt.evaluation.pairs import split_ids, unit_of_endings
from numgpt.files import quoted


def passages(text, name):
    """(where, passage) of every line. Raises InputError for a malformed line, and for one of a single word."""
    for where, row in json_lines(text, name):
        passage = text_field(row, "text", where)
        if len(passage.split()) < 2:
            raise InputError(f"{where}: a passage needs a last word and one before it, but this is {quoted(passage)}")
        yield where, passage


def last_word_units(text, name, tokenizer, n_ctx):
    """(Units, {}): the last word is everything after the last space, and that space."""
    units = []
    for where, passage in passages(text, name):
        context, _, word = passage.rpartition(" ")
        if not context.strip():
            raise InputError(f"{where}: there is no space before the last word of {quoted(passage)}")
        before, after = split_ids(context, " " + word, tokenizer)
        units.append(unit_of_endings(before, [after], n_ctx, where))
    return units, {}


def last_token_units(text, name, tokenizer, n_ctx):
    """(Units, {}): the last token of the passage as a whole."""
    units = []
    for where, passage in passages(text, name):
        ids = list(tokenizer.encode(passage.strip()))
        units.append(unit_of_endings(ids[:-1], [ids[-1:]], n_ctx, where))
    return units, {}


def record(unit, scores):
    """The record of a passage; greedy: whether each scored token is the likeliest."""
    [score] = scores
    return {"nats": score.nats, "tokens": len(score.logprobs), "greedy": bool(score.greedy.all()), **unit.about}


def reduce(records, totals):
    """The figures, per word as in the harness, not per token: e to the mean -log p of a whole last word."""
    n, nats = len(records), sum(record["nats"] for record in records)
    stderr = figures.stderr_of_mean([record["nats"] for record in records])
    return {
        "sum_logprob_nats": nats,
        "tokens_scored": sum(record["tokens"] for record in records),
        "perplexity_per_word": figures.exp(-nats / n),
        **figures.accuracy("accuracy", [record["greedy"] for record in records]),
        "stderr": figures.exp_stderr(-nats / n, stderr),
        "stderr_of": "perplexity_per_word",
        **figures.cuts(records),
    }


def reduce_last_token(records, totals):
    """The figures, per token, of which each passage has one."""
    n, nats = len(records), sum(record["nats"] for record in records)
    accuracy = figures.accuracy("accuracy", [record["greedy"] for record in records])
    return {
        "sum_logprob_nats": nats,
        "tokens_scored": n,
        "token_perplexity": figures.exp(-nats / n),
        **accuracy,
        "stderr": accuracy["accuracy_stderr"],
        "stderr_of": "accuracy",
        **figures.cuts(records),
    }
