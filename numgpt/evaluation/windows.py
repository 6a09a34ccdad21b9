"""A long sequence of ids cut into windows that a model can read, each with the number of its last ids that are scored.

The two methods in use differ in what a token sees before it, which is why one model has several perplexities on one
text.
"""

from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """Ids, of which the last `n_scored` are predicted, each from all those before it; n_scored < len(ids)."""

    ids: list[int]
    n_scored: int

    @property
    def mask(self):
        """(len(ids),) bool: which ids are scored."""
        return np.arange(len(self.ids)) >= len(self.ids) - self.n_scored


def strided(ids, n_ctx, stride):
    """Windows of n_ctx ids that begin `stride` apart; ids that an earlier one had are only read again.

    As in Hugging Face's guide, a window's very first id has nothing before it and is never scored, so stride = n_ctx
    leaves out one id of every window.
    """
    windows, scored_to = [], 0
    for begin in range(0, len(ids), stride):
        end = min(begin + n_ctx, len(ids))
        windows.append(Window(ids[begin:end], min(end - scored_to, end - begin - 1)))
        scored_to = end
        if end == len(ids):
            break
    return [window for window in windows if window.n_scored]


def rolling(ids, n_ctx, first):
    """Windows that score every id once; `first`, such as <|endoftext|>, begins the first one.

    Every other window begins with the last id of the one before. The last, which may have fewer ids to score, reads as
    many before them as fit, as in the lm-evaluation-harness ("rolling", with one token of context).
    """
    ids = [first, *ids]
    windows = []
    for begin in range(1, len(ids), n_ctx):
        end = min(begin + n_ctx, len(ids))
        windows.append(Window(ids[max(0, end - n_ctx - 1) : end], end - begin))
    return windows


def ending(context, continuation, n_ctx):
    """(Window of a continuation after its context, how many ids of the context did not fit and were cut off).

    The oldest ids are cut off, so that n_ctx ids are read. A continuation longer than that loses its own beginning.
    """
    ids = [*context, *continuation]
    window = ids[-(n_ctx + 1) :]
    return Window(window, min(len(continuation), len(window) - 1)), len(ids) - len(window)
