"""Beam search with a GPT: `numgpt.generation.search`, with a batch of prompts and a cache that follows the beams."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numgpt.errors import InputError
from numgpt.generation.batch import Batch, Ids, check_batch, check_rules, read_prompts
from numgpt.generation.loop import check_finite, decode, prefill
from numgpt.generation.rules import Rules
from numgpt.generation.sampling import NONE_LEFT, Scores, adjust, log_softmax
from numgpt.generation.search import Beam, search
from numgpt.model import GPT, KVCache
from numgpt.numbers import check_number

RULES = ("logit_bias", "repetition_penalty", "no_repeat_ngram_size", "min_new_tokens", "stop_ids")
STEEPEST = 10  # length penalty, either way: a million tokens to this power is still a finite float


def beam_search(
    model: GPT, ids: Ids, n_beams: int = 4, max_new_tokens: int = 40, *, length_penalty: float = 1.0, **rules: Any
) -> list[list[Beam]]:
    """The best continuations that n_beams beams find for each prompt: B lists of Beams, each with the best first.

    ids: (B, T) ints, or B lists of ints. A Beam(ids, logprob, score) holds the new ids, their joint log-probability in
    nats, and the score that orders the beams, logprob / len(ids) ** length_penalty (from -10 to 10). A text ends with
    the first of `stop_ids`, included, or with max_new_tokens; `numgpt.generation.search` says when the search ends.

    rules: logit_bias, repetition_penalty, no_repeat_ngram_size, min_new_tokens and stop_ids, as in `generate`. They
    change the log-probabilities, in the order that `generate` gives, and logprob is a sum of the changed ones. When the
    context is full, the window slides as in `generate`.

    Raises InputError as `generate` does; TypeError for any other rule.
    """
    checked = read_rules(rules)
    n_beams, penalty = check_search(n_beams, length_penalty)
    n = int(check_number(max_new_tokens, "max_new_tokens", low=0, whole=True, note="0 adds nothing"))
    batch = read_prompts(model, ids)
    check_rules(model, checked)
    check_batch(model.config, n_beams * len(batch.rows))
    if n == 0:
        return [[Beam([], 0.0, 0.0)] for _ in batch.rows]
    rows = Rows(model, batch, checked)
    found = search(rows.first, rows.advance, n_beams, n, penalty, checked.stops.tolist())
    if not all(found):
        raise InputError(NONE_LEFT)
    return found


def check_search(n_beams: int, length_penalty: float) -> tuple[int, float]:
    """Both as Python numbers. Raises InputError for anything that is not a number, or outside its range."""
    n_beams = int(check_number(n_beams, "n_beams", low=1, whole=True))
    return n_beams, float(check_number(length_penalty, "length_penalty", low=-STEEPEST, high=STEEPEST))


def read_rules(keywords: dict[str, Any]) -> Rules:
    """Rules(**keywords). Raises TypeError for a rule that beam search does not have."""
    for name in keywords:
        if name not in RULES:
            raise TypeError(f"{name!r} is not a rule of beam search; the rules are {', '.join(RULES)}")
    return Rules(**keywords)


class Rows:
    """The texts of all beams, one per row, and their cache; `first` and `advance` are the arguments of `search`."""

    def __init__(self, model: GPT, prompts: Batch, rules: Rules) -> None:
        self.model, self.batch, self.rules, self.n_new = model, prompts, rules, 0
        logits, self.cache = prefill(model, prompts.ids, prompts.lengths)
        self.first = self.log_probabilities(logits)

    def advance(self, parents: NDArray[np.int64], tokens: NDArray[np.int64]) -> Scores:
        texts = self.batch.rows
        self.batch = Batch([np.append(texts[parent], token) for parent, token in zip(parents, tokens, strict=True)])
        self.cache = in_order(self.cache, self.model, parents)
        logits, self.cache = decode(self.model, self.batch, self.cache)
        self.n_new += 1
        return self.log_probabilities(logits)

    def log_probabilities(self, logits: NDArray[Any]) -> Scores:
        """log softmax(logits), (R, V), after the rules."""
        check_finite(logits)
        logits[:, self.model.n_tokens :] = -np.inf  # ids that the tokenizer does not have
        return adjust(log_softmax(logits), self.batch.rows, self.rules, self.n_new)


def in_order(cache: KVCache, model: GPT, rows: NDArray[np.int64]) -> KVCache:
    """A cache whose row r is row rows[r] of `cache`, for rows (R,) ints; it may be `cache` itself, changed."""
    start = np.zeros(cache.batch, int) if cache.start is None else cache.start
    if len(rows) == cache.batch and (start[rows] == start).all():
        changed = np.flatnonzero(rows != np.arange(len(rows)))
        for layer in cache.layers:
            for memory in layer.keys, layer.values:
                to, source = (np.asarray(index, like=memory) for index in (changed, rows[changed]))
                memory[to, :, : cache.length] = memory[source, :, : cache.length]
        return cache
    lengths = cache.length - start[rows]
    ordered = KVCache(model, len(rows), lengths)  # without the columns that only dropped rows used
    for layer, new in zip(cache.layers, ordered.layers, strict=True):
        source = np.asarray(rows, like=layer.keys)
        used = slice(cache.length - max(lengths), cache.length)
        new.extend(layer.keys[source, :, used], layer.values[source, :, used])
    return ordered
