"""Endings that share a context: the context is read once, and each ending continues from its cache."""

import numpy as np

from numgpt.backend import array_module
from numgpt.errors import InputError
from numgpt.evaluation.scorer import padded, score_states, score_windows
from numgpt.layers.base import inferring
from numgpt.model import KVCache


def score_units(model, units, batch_size):
    """A list of Scores for each Unit, one per window.

    At most batch_size windows are read at once; a Unit whose windows share their context is read in one piece. Raises
    InputError as `score_windows` does, and for a model whose log-probabilities are not finite numbers.
    """
    scores = [None] * len(units)
    alone = [i for i, unit in enumerate(units) if not unit.shared]
    found = iter(score_windows(model, [window for i in alone for window in units[i].windows], batch_size))
    for i in alone:
        scores[i] = [next(found) for _ in units[i].windows]
    for batch in batches(units, batch_size, model.config.n_ctx):
        for i, score in zip(batch, score_sharing(model, [units[i] for i in batch]), strict=True):
            scores[i] = score
    if not all(np.isfinite(score.logprobs).all() for unit_scores in scores for score in unit_scores):
        raise InputError("the model's log-probabilities are not finite numbers: its weights are damaged or overflow")
    return scores


def batches(units, batch_size, n_ctx):
    """Indices of the Units with a shared context, in batches of similar lengths that fit the model's context."""
    batch, n_windows, tail = [], 0, 0
    sharing = [i for i, unit in enumerate(units) if unit.shared]
    for i in sorted(sharing, key=lambda i: units[i].shared):  # the longest shared part of a batch comes last
        tail_here = max(len(window.ids) - 1 for window in units[i].windows) - units[i].shared
        full = n_windows + len(units[i].windows) > batch_size or units[i].shared + max(tail, tail_here) > n_ctx
        if batch and full:
            yield batch
            batch, n_windows, tail = [], 0, 0
        batch.append(i)
        n_windows, tail = n_windows + len(units[i].windows), max(tail, tail_here)
    if batch:
        yield batch


def score_sharing(model, units):
    """A list of Scores for each Unit."""
    counts = [len(unit.windows) for unit in units]
    lengths = [unit.shared for unit in units]
    windows = [window for unit in units for window in unit.windows]
    pasts = np.repeat(lengths, counts)
    tails = padded([window.ids[past:-1] for window, past in zip(windows, pasts, strict=True)])
    with inferring():
        cache = read_contexts(model, [unit.windows[0].ids[: unit.shared] for unit in units])
        cache = repeated(model, cache, lengths, counts)
        states = model.final_states(model.check_ids(tails, cache.length), cache)
    scores = iter(score_states(model, states, windows, pasts))
    return [[next(scores) for _ in unit.windows] for unit in units]


def read_contexts(model, contexts):
    """The KVCache after reading lists of ids, padded on the left to the longest."""
    lengths = [len(ids) for ids in contexts]
    cache = KVCache(model, len(contexts), lengths)
    ids = padded([[0] * (max(lengths) - len(ids)) + ids for ids in contexts])
    model.final_states(model.check_ids(ids), cache)
    return cache


def repeated(model, cache, lengths, counts):
    """A KVCache with counts[b] copies of row b."""
    copies = KVCache(model, sum(counts), np.repeat(lengths, counts))
    rows = np.repeat(np.arange(len(counts)), counts)
    for source, target in zip(cache.layers, copies.layers, strict=True):
        index = array_module(source.keys).asarray(rows)
        target.extend(source.keys[index, :, : source.length], source.values[index, :, : source.length])
    return copies
