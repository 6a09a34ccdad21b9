"""The reducers: from the records of a run's units to the figures that are printed."""

import math
import sys


def of_text(records, totals):
    """The figures of a text from its log-probabilities: per token, per word and per byte.

    totals: {"words", "bytes"} of the whole text, or {} if only part of it was scored, which has no figure per word or
    byte.
    """
    nats = sum(record["nats"] for record in records)
    tokens = sum(record["tokens"] for record in records)
    figures = {
        "sum_logprob_nats": nats,
        "tokens_scored": tokens,
        "nats_per_token": -nats / tokens,
        "token_perplexity": exp(-nats / tokens),
    }
    if totals:
        figures["word_perplexity"] = exp(-nats / totals["words"])
        figures["byte_perplexity"] = exp(-nats / totals["bytes"])
        figures["bits_per_byte"] = -nats / totals["bytes"] / math.log(2)
    return figures


def stderr_of_ratio(pairs):
    """The standard error of sum(s) / sum(w) over n independent (s, w); None for fewer than two."""
    n, weight = len(pairs), sum(w for _, w in pairs)
    if n < 2:
        return None
    ratio = sum(s for s, _ in pairs) / weight
    return math.sqrt(n / (n - 1) * sum((s - ratio * w) ** 2 for s, w in pairs)) / weight


def stderr_of_mean(values):
    """The standard error of the mean of independent values; None for fewer than two."""
    return stderr_of_ratio([(value, 1) for value in values])


def accuracy(name, right):
    """The share of True in `right`, a list of bool, as `name`, and its standard error."""
    return {name: sum(map(bool, right)) / len(right), f"{name}_stderr": stderr_of_mean(right)}


def cuts(records):
    """The number of records whose context was too long for the model and was cut on the left."""
    return {"contexts_cut": sum(record["cut"] > 0 for record in records)}


def exp(nats):
    """e^nats; None if that overflows, since Infinity is not JSON."""
    return math.exp(nats) if nats < math.log(sys.float_info.max) else None


def exp_stderr(nats, stderr):
    """The standard error of e^nats, to first order; None if either is unknown, or it overflows."""
    value = exp(nats)
    found = None if value is None or stderr is None else value * stderr
    return None if found == math.inf else found
