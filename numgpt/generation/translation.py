"""Greedy translation with a Transformer: always the likeliest next token, for many texts at a time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from numgpt.errors import InputError
from numgpt.generation.loop import check_finite
from numgpt.generation.sampling import log_softmax
from numgpt.layers.base import Array
from numgpt.model.transformer import BEGIN, END, PAD, Transformer, TransformerCache

T = TypeVar("T")

BATCH_TOKENS = 4000  # of the sources that are read together, padding included


class Translation(NamedTuple):
    """ids: without marks. logprobs: in nats, one for each id, and one for the end mark unless the text was cut off."""

    ids: list[int]
    logprobs: list[float]


def translate(model: Transformer, sources: Sequence[Sequence[int]]) -> list[Translation]:
    """The greedy Translation of each source, given as ids without marks.

    The model should be in eval mode: dropout would blur the result. Sources of similar length are read together. A
    translation ends with its end mark, or with as many tokens as `longest` says. Raises InputError as
    `Transformer.encode` does, for a source without tokens, and for a model whose logits are not finite numbers.
    """
    return in_batches(sources, BATCH_TOKENS, lambda batch: translate_batch(model, batch))


def in_batches(
    sources: Sequence[Sequence[int]], most: int, translate_some: Callable[[list[Sequence[int]]], list[T]]
) -> list[T]:
    """The results of `translate_some`, which gets sources of similar length together, at most `most` tokens of them."""
    if not all(map(len, sources)):
        raise InputError("a source must have at least one token")
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    found: dict[int, T] = {}
    while order:
        n = len(order)
        batch = order[-max(1, most // len(sources[order[-1]])) :]
        del order[n - len(batch) :]
        found.update(zip(batch, translate_some([sources[i] for i in batch]), strict=True))
    return [found[i] for i in range(len(sources))]


def longest(n: int) -> int:
    """The most tokens that a translation of n tokens may have: twice as many, and 10 more for a short one."""
    return 2 * n + 10


def translate_batch(model: Transformer, sources: Sequence[Sequence[int]]) -> list[Translation]:
    """`translate` in one batch; a text that has ended is computed no further."""
    limits = [longest(len(source)) for source in sources]
    found = [Translation([], []) for _ in sources]
    cache = TransformerCache(model, filled_up(sources))
    running, last = list(range(len(sources))), np.full((len(sources), 1), BEGIN)
    while running:
        logprobs = log_probabilities(model.decode(last, cache))
        tokens = logprobs.argmax(-1)
        stay = []
        for row, (text, token) in enumerate(zip(running, tokens.tolist(), strict=True)):
            found[text].logprobs.append(float(logprobs[row, token]))
            if token != END:
                found[text].ids.append(token)
                if len(found[text].ids) < limits[text]:
                    stay.append(row)
        if len(stay) < len(running):
            running = [running[row] for row in stay]
            if running:
                cache.choose(stay)
        last = tokens[stay][:, None]
    return found


def filled_up(sources: Sequence[Sequence[int]]) -> np.ndarray:
    """The sources as one array (B, S), the shorter ones filled up with PAD."""
    rows = np.full((len(sources), max(map(len, sources))), PAD)
    for row, source in zip(rows, sources, strict=True):
        row[: len(source)] = source
    return rows


def log_probabilities(logits: Array) -> np.ndarray:
    """log softmax of logits (R, V), float64 on the host; -inf for the padding and begin marks, never written."""
    check_finite(logits)
    logits[:, [PAD, BEGIN]] = -np.inf
    return log_softmax(logits)
