"""What a model makes of windows: the log-probability of each id that is scored, and whether it was the likeliest."""

from typing import NamedTuple

import numpy as np

from numgpt.backend import array_module, to_host
from numgpt.errors import InputError
from numgpt.generation.sampling import log_probabilities
from numgpt.layers.base import inferring

ROWS = 512  # positions whose logits are held at once: at 50257 tokens 100 MB in float32


class Score(NamedTuple):
    """Of one window's scored ids: log-probabilities in nats, (n_scored,), and which were the likeliest, bool."""

    logprobs: np.ndarray
    greedy: np.ndarray

    @property
    def nats(self):
        """The sum of the log-probabilities."""
        return float(self.logprobs.sum())


def score_windows(model, windows, batch_size):
    """One Score for each of `windows`, in their order; at most batch_size are read at once, those of like length.

    Raises InputError for a window that is longer than the context or has ids outside the vocabulary, and for a model
    whose logits are not finite numbers.
    """
    scores = [None] * len(windows)
    by_length = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    for first in range(0, len(by_length), batch_size):
        batch = by_length[first : first + batch_size]
        for i, score in zip(batch, score_batch(model, [windows[i] for i in batch]), strict=True):
            scores[i] = score
    return scores


def score_batch(model, windows):
    """A Score for each Window, read together. What pads the shorter ones comes after them, where none of them looks."""
    size = max(len(window.ids) for window in windows) - 1
    ids = np.zeros((len(windows), size), np.int64)
    for row, window in zip(ids, windows, strict=True):
        row[: len(window.ids) - 1] = window.ids[:-1]
    with inferring():
        states = model.final_states(model.check_ids(ids))
    return score_states(model, states, windows, 0)


def score_states(model, states, windows, past):
    """A Score for each Window from the final states, (B, T, C), of its ids from number `past` on."""
    needed = [(len(w.ids) - 1 - w.n_scored - past, len(w.ids) - 1 - past) for w in windows]
    rows = array_module(states).concatenate([x[begin:end] for x, (begin, end) in zip(states, needed, strict=True)])
    targets = np.array([token for window in windows for token in window.ids[-window.n_scored :]])
    pieces = [score_rows(model, rows[i : i + ROWS], targets[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
    logprobs, greedy = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    if not np.isfinite(logprobs).all():
        raise InputError("the model's log-probabilities are not finite numbers: its weights are damaged or overflow")
    ends = np.cumsum([window.n_scored for window in windows])[:-1]
    return [Score(*parts) for parts in zip(np.split(logprobs, ends), np.split(greedy, ends), strict=True)]


def score_rows(model, states, targets):
    """(log-probabilities in nats, whether it is the likeliest) of each target after its state, (N, C)."""
    with inferring():
        logits = model.head.forward(states)
    with np.errstate(over="ignore", invalid="ignore"):  # what NumPy would warn of ends with a message
        return log_probabilities(logits, targets), to_host(logits.argmax(-1)) == targets
