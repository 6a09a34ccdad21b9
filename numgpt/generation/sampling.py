"""From logits to a token: one small function per rule.

Every rule takes scores (B, V), float64, and returns new ones; a token that is ruled out has -inf. The rules come in the
order in which `choose` applies them, which is also that of the transformers library. Scores are logits up to a constant
per row: softmax(scores) is the distribution to draw from.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numgpt.backend import array_module, to_host
from numgpt.errors import InputError
from numgpt.generation.rules import Rules

Scores = NDArray[np.float64]
NONE_LEFT = "no token is left to choose: take a larger no_repeat_ngram_size, or a smaller min_new_tokens"


def choose(
    logits: NDArray[Any],
    rows: Sequence[ArrayLike],
    rules: Rules,
    rngs: Sequence[np.random.Generator],
    n_new: int = 0,
) -> NDArray[np.int64]:
    """One token per row, (B,) ints on the host, for logits (B, V), which may be on a GPU.

    rows: B sequences, the ids of each row's text so far. rules: a `Rules`. rngs: B numpy.random.Generators; each row
    draws one number from its own, so that its token does not depend on the other rows. n_new: how many tokens of each
    text are new. Temperature 0 takes the largest score (the lowest id among equals) and draws nothing. Raises
    InputError if the rules leave a row no token.
    """
    if rules.temperature == 0 and not rules.adjust_scores(n_new):
        return to_host(logits.argmax(-1))
    scores = adjust(to_host(logits).astype(np.float64), rows, rules, n_new)
    check_possible(scores)
    if rules.temperature == 0:
        return scores.argmax(-1)
    scores = temper(scores, rules.temperature)
    if rules.top_k:
        scores = keep_top_k(scores, rules.top_k)
    if rules.top_p is not None:
        scores = keep_top_p(scores, rules.top_p)
    if rules.min_p is not None:
        scores = keep_min_p(scores, rules.min_p)
    return draw(scores, rngs)


def adjust(scores: Scores, rows: Sequence[ArrayLike], rules: Rules, n_new: int) -> Scores:
    """Scores (B, V) after the rules that depend on the ids of tokens: those that come before the temperature."""
    if rules.logit_bias:
        scores = add_bias(scores, rules.logit_bias)
    if rules.repetition_penalty is not None:
        scores = penalise_repetition(scores, rows, rules.repetition_penalty)
    if rules.no_repeat_ngram_size:
        scores = forbid_repeated_ngrams(scores, rows, rules.no_repeat_ngram_size)
    if n_new < (rules.min_new_tokens or 0):
        scores = forbid(scores, rules.stops)
    return scores


def check_possible(scores: Scores) -> None:
    """Raise InputError if the rules have left some row of scores no token."""
    if not (scores > -np.inf).any(-1).all():
        raise InputError(NONE_LEFT)


def add_bias(scores: Scores, bias: Mapping[int, float]) -> Scores:
    """Add bias[id] to the score of every token that has one; it is in nats, as scores are."""
    scores = scores.copy()
    scores[:, list(bias)] += list(bias.values())
    return scores


def penalise_repetition(scores: Scores, rows: Sequence[ArrayLike], penalty: float) -> Scores:
    """Make the tokens of `rows`, B texts of ids, less likely to come again (Keskar et al. 2019, "CTRL", section 4.1).

    A score above 0 is divided by the penalty, one below 0 multiplied by it, so that both fall if it is above 1. A token
    that has come many times is penalised like one that has come once.
    """
    scores = scores.copy()
    largest = np.finfo(scores.dtype).max
    for row, ids in zip(scores, rows, strict=True):
        seen = row[ids]
        with np.errstate(over="ignore"):
            seen = np.where(seen > 0, seen / penalty, seen * penalty)
        row[ids] = np.clip(seen, -largest, largest)
    return scores


def forbid_repeated_ngrams(scores: Scores, rows: Sequence[ArrayLike], n: int) -> Scores:
    """Rule out each token that would complete a run of n tokens that its row already has (Paulus et al. 2017, 2.5).

    With n = 1 no token comes twice. A row shorter than n has nothing to repeat.
    """
    scores = scores.copy()
    for row, text in zip(scores, rows, strict=True):
        ids = np.asarray(text, np.int64)
        if len(ids) < n:
            continue
        ngrams = np.lib.stride_tricks.sliding_window_view(ids, n)
        begun = (ngrams[:, :-1] == ids[len(ids) - n + 1 :]).all(-1)
        row[ngrams[begun, -1]] = -np.inf
    return scores


def forbid(scores: Scores, ids: NDArray[np.int64]) -> Scores:
    """Rule out `ids`: those that end a text, before min_new_tokens have come."""
    scores = scores.copy()
    scores[:, ids] = -np.inf
    return scores


def temper(scores: Scores, temperature: float) -> Scores:
    """Divide by the temperature, above 0: below 1 the likely tokens gain, above 1 the unlikely ones.

    The largest score is subtracted first, which changes no probability and keeps the quotient from overflowing upwards.
    """
    with np.errstate(over="ignore"):
        return (scores - scores.max(-1, keepdims=True)) / temperature


def keep_top_k(scores: Scores, k: int) -> Scores:
    """Keep the k largest scores (Fan et al. 2018, section 5.4), and all that equal the k-th.

    No token is dropped merely for its place in the vocabulary, so more than k may stay.
    """
    B, V = scores.shape
    if k >= V:
        return scores
    # The maxima of k blocks are k different tokens' scores, so the k-th largest is at least the smallest of them.
    bounds = scores[:, : V // k * k].reshape(B, k, -1).max(-1).min(-1)
    kth = np.empty((B, 1))
    for b, (row, bound) in enumerate(zip(scores, bounds, strict=True)):
        large = row[row >= bound]
        kth[b] = np.partition(large, len(large) - k)[len(large) - k]
    return np.where(scores >= kth, scores, -np.inf)


def keep_top_p(scores: Scores, p: float) -> Scores:
    """Keep the nucleus: the fewest tokens, from the likeliest down, whose probability reaches p (Holtzman et al. 2020).

    The likeliest token always stays; of equals, those with the lower ids come first.
    """
    if p == 1:
        return scores
    kept = np.full_like(scores, -np.inf)
    for row, out in zip(scores, kept, strict=True):
        possible, probability = softmax_of_possible(row)
        # All tokens below (1 - p)/V have less than 1 - p together: the rest reaches p, and only it needs sorting.
        descending = np.sort(probability[probability >= (1 - p) / len(row)])[::-1]
        n = min(int(np.searchsorted(np.cumsum(descending), p)) + 1, len(descending))
        above = probability > descending[n - 1]
        equal = np.flatnonzero(probability == descending[n - 1])[: n - np.count_nonzero(above)]
        nucleus = np.append(possible[above], possible[equal])
        out[nucleus] = row[nucleus]
    return kept


def keep_min_p(scores: Scores, min_p: float) -> Scores:
    """Keep the tokens with at least min_p times the probability of the likeliest (Nguyen et al. 2024)."""
    if min_p == 0:
        return scores
    return np.where(scores >= scores.max(-1, keepdims=True) + math.log(min_p), scores, -np.inf)


def draw(scores: Scores, rngs: Sequence[np.random.Generator]) -> NDArray[np.int64]:
    """One token per row with probability softmax(scores), by inverting the cumulative distribution; (B,) ints.

    Row b takes one u from rngs[b], uniform in [0, 1), and gets the first token at which the running sum of the
    probabilities exceeds u. A token of probability 0 is never chosen.
    """
    tokens = np.empty(len(scores), np.int64)
    for b, (row, rng) in enumerate(zip(scores, rngs, strict=True)):
        possible, probability = softmax_of_possible(row)
        running = np.cumsum(probability)
        tokens[b] = possible[np.searchsorted(running, rng.random() * running[-1], side="right")]
    return tokens


def softmax_of_possible(row: Scores) -> tuple[NDArray[np.int64], Scores]:
    """The ids of row, (V,), that have not been ruled out, and their probabilities, both (n,)."""
    possible = row > -np.inf
    weights = np.exp(row[possible] - row.max())
    return np.flatnonzero(possible), weights / weights.sum()


def log_probabilities(logits: NDArray[Any], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """log softmax(logits)[b, tokens[b]] in nats, (B,) float64 on the host; logits (B, V) may be on a GPU."""
    rows, columns = (array_module(logits).asarray(index) for index in (np.arange(len(tokens)), tokens))
    shifted = np.subtract(logits, logits.max(-1, keepdims=True), dtype=np.float64)
    chosen = shifted[rows, columns]
    return to_host(chosen - np.log(np.exp(shifted, out=shifted).sum(-1)))


def log_softmax(logits: Any) -> Scores:
    """log softmax of logits, (..., V), as float64 on the host."""
    scores = to_host(logits).astype(np.float64)
    scores -= scores.max(-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(-1, keepdims=True))
    return scores


def likeliest(logits: NDArray[Any], k: int) -> list[list[tuple[int, float]]]:
    """For each row of logits, (B, V), the k likeliest tokens as (id, log-probability in nats), the likeliest first."""
    found = []
    for row in log_softmax(logits):
        top = largest(row, k)
        found.append(list(zip(top.tolist(), row[top].tolist(), strict=True)))
    return found


def largest(row: Scores, k: int) -> NDArray[np.int64]:
    """The places of the k largest of row, (V,), from the largest down; of equals the first comes first."""
    enough = np.flatnonzero(keep_top_k(row[None], k)[0] > -np.inf)
    return enough[np.argsort(-row[enough], kind="stable")][:k]
