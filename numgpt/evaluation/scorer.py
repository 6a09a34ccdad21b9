"""A model's scores for windows: the log-probability of each scored id, and whether it was the likeliest."""

from typing import NamedTuple

import numpy as np

from numgpt.backend import array_module, to_host
from numgpt.layers.base import inferring

ROWS = 512  # positions whose logits are held at once: at 50257 tokens 100 MB in float32
CHUNK = 2**18  # logits processed at once on the CPU, so that they stay in its cache


class Score(NamedTuple):
    """Of one window's scored ids, (n_scored,) each: log-probabilities in nats, and whether each was the likeliest."""

    logprobs: np.ndarray
    greedy: np.ndarray

    @property
    def nats(self):
        """The sum of the log-probabilities."""
        return float(self.logprobs.sum())


def score_windows(model, windows, batch_size):
    """A Score for each of `windows`, in order; at most batch_size, of similar lengths, are read at once.

    Raises InputError for a window that is longer than the context or has ids outside the vocabulary.
    """
    scores = [None] * len(windows)
    by_length = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    for first in range(0, len(by_length), batch_size):
        batch = by_length[first : first + batch_size]
        for i, score in zip(batch, score_batch(model, [windows[i] for i in batch]), strict=True):
            scores[i] = score
    return scores


def score_batch(model, windows):
    """A Score for each Window, read together. Padding comes after the shorter ones, where no id attends to it."""
    ids = padded([window.ids[:-1] for window in windows])
    with inferring():
        states = model.final_states(model.check_ids(ids))
    return score_states(model, states, windows, [0] * len(windows))


def padded(rows):
    """Lists of ids as one array, (B, longest), with zeros after the shorter ones."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return ids


def score_states(model, states, windows, pasts):
    """A Score for each Window from the final states, (B, T, C), of its ids from index pasts[b] on."""
    ends = [len(window.ids) - 1 - past for window, past in zip(windows, pasts, strict=True)]
    needed = [x[end - w.n_scored : end] for x, w, end in zip(states, windows, ends, strict=True)]
    rows = array_module(states).concatenate(needed)
    targets = np.array([token for window in windows for token in window.ids[-window.n_scored :]])
    pieces = [score_rows(model, rows[i : i + ROWS], targets[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
    logprobs, greedy = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    cuts = np.cumsum([window.n_scored for window in windows])[:-1]
    return [Score(*parts) for parts in zip(np.split(logprobs, cuts), np.split(greedy, cuts), strict=True)]


def score_rows(model, states, targets):
    """(log-probabilities in nats, whether each is the likeliest) of the targets, each after its state, (N, C)."""
    with inferring():
        logits = model.head.forward(states)
    step = max(1, CHUNK // logits.shape[-1]) if isinstance(logits, np.ndarray) else len(logits)
    with np.errstate(over="ignore", invalid="ignore"):  # damaged weights: the caller checks the scores
        pieces = [score_logits(logits[i : i + step], targets[i : i + step]) for i in range(0, len(logits), step)]
    return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))


def score_logits(logits, targets):
    """(log softmax(logits)[n, targets[n]], float64 on the host; whether logits[n].argmax() is targets[n]).

    Overwrites the logits, (N, V).
    """
    xp = array_module(logits)
    here = np.arange(len(targets))
    top, chosen = logits.max(-1), logits[xp.asarray(here), xp.asarray(targets)]
    greedy = to_host(chosen == top)
    for n in np.flatnonzero(greedy):  # of equal logits the first is the likeliest, as for argmax
        greedy[n] = logits[n].argmax() == targets[n]
    logits -= top[:, None]
    np.exp(logits, out=logits)
    total, top, chosen = (to_host(x).astype(np.float64) for x in (logits.sum(-1), top, chosen))
    return chosen - top - np.log(total), greedy
