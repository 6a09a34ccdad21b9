"""The protocols for running text: what is read, how it is cut, and what the sum is divided by."""

from numgpt.errors import InputError
from numgpt.evaluation import figures
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import rolling, strided


def join_rows(text):
    """WikiText's raw file as Hugging Face's guide reads it: each line is a row, and two line breaks join the rows.

    The row of a heading or a paragraph also keeps its own line break, an empty row has none.
    """
    rows = [line + "\n" if line.strip() else "" for line in text.removesuffix("\n").split("\n")]
    return "\n\n".join(rows)


def strided_units(text, tokenizer, n_ctx, stride):
    """(Units, totals): one Unit per window."""
    if not 0 < stride <= n_ctx:
        raise InputError(f"the stride must be from 1 to the context of {n_ctx} tokens, not {stride}")
    windows = strided(encode(text, tokenizer), n_ctx, stride)
    return [Unit([window]) for window in windows], totals(text)


def rolling_units(text, name, tokenizer, n_ctx):
    """(Units, totals): one Unit per window."""
    windows = rolling(encode(text, tokenizer), n_ctx, first_token(tokenizer))
    return [Unit([window]) for window in windows], totals(text)


def totals(text):
    """The number of words, separated by whitespace, and of bytes in a text."""
    return {"words": len(text.split()), "bytes": len(text.encode("utf-8"))}


def encode(text, tokenizer):
    """The ids of a text. Raises InputError if it has no words, or fewer than two ids, so that nothing is predicted."""
    ids = tokenizer.encode(text)
    if len(ids) < 2 or not text.strip():
        raise InputError(f"the text has only {len(ids)} tokens, and {len(text.split())} words: give a longer one")
    return list(ids)


def first_token(tokenizer):
    """The id of <|endoftext|>, which comes before a text. Raises InputError for a tokenizer without it."""
    if tokenizer.end_of_text is None:
        raise InputError(
            "this protocol puts <|endoftext|> before the text, but the model's vocabulary does not have it"
        )
    return tokenizer.end_of_text


def record(unit, scores):
    """The record of a scored Unit."""
    return {"nats": sum(score.nats for score in scores), "tokens": sum(len(score.logprobs) for score in scores)}


def reduce(records, totals):
    """The figures, with the standard error of the token perplexity over the windows."""
    found = figures.of_text(records, totals)
    stderr = figures.stderr_of_ratio([(record["nats"], record["tokens"]) for record in records])
    return {
        **found,
        "stderr": figures.exp_stderr(found["nats_per_token"], stderr),
        "stderr_of": "token_perplexity",
    }
