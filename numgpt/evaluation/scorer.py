"""What a model makes of windows: the log-probability of each id that is scored, and whether it was the likeliest."""

from typing import NamedTuple

import numpy as np

from numgpt.backend import array_module, to_host
from numgpt.layers.base import inferring

ROWS = 512  # positions whose logits are held at once: at 50257 tokens 100 MB in float32
CHUNK = 2**18  # logits that are worked on at once on the CPU, so that they stay in its cache


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
    """A Score for each Window, read together. What pads the shorter ones comes after them, where none of them looks."""
    ids = padded([window.ids[:-1] for window in windows])
    with inferring():
        states = model.final_states(model.check_ids(ids))
    return score_states(model, states, windows, [0] * len(windows))


def padded(rows):
    """Lists of ids as one array, (B, longest), with zeros behind the shorter ones."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = row
    return ids


def score_states(model, states, windows, pasts):
    """A Score for each Window from the final states, (B, T, C), of its ids from number pasts[b] on."""
    ends = [len(window.ids) - 1 - past for window, past in zip(windows, pasts, strict=True)]
    needed = [x[end - w.n_scored : end] for x, w, end in zip(states, windows, ends, strict=True)]
    rows = array_module(states).concatenate(needed)
    targets = np.array([token for window in windows for token in window.ids[-window.n_scored :]])
    pieces = [score_rows(model, rows[i : i + ROWS], targets[i : i + ROWS]) for i in range(0, len(rows), ROWS)]
    logprobs, greedy = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    cuts = np.cumsum([window.n_scored for window in windows])[:-1]
    return [Score(*parts) for parts in zip(np.split(logprobs, cuts), np.split(greedy, cuts), strict=True)]


def score_rows(model, states, targets):
    """(log-probabilities in nats, whether it is the likeliest) of each target after its state, (N, C)."""
    with inferring():
        logits = model.head.forward(states)
    step = max(1, CHUNK // logits.shape[-1]) if isinstance(logits, np.ndarray) else len(logits)
    with np.errstate(over="ignore", invalid="ignore"):  # damaged weights: who asked looks at the scores
        pieces = [score_logits(logits[i : i + step], targets[i : i + step]) for i in range(0, len(logits), step)]
    return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))


def score_logits(logits, targets):
    """(log softmax(logits)[n, targets[n]], float64 on the host, whether no earlier id or other has a logit as large).

    Writes over the logits, (N, V).
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
