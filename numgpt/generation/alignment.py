"""Where a translation comes from: how much each token of it attends to each token of the source."""

from collections.abc import Sequence

import numpy as np

from numgpt.backend import to_host
from numgpt.layers.attention import heads
from numgpt.layers.base import inferring
from numgpt.model.transformer import BEGIN, Transformer

SHADES = " .:+#@"  # of a cell, from 0 to 1


def alignment(model: Transformer, source: Sequence[int], written: Sequence[int]) -> np.ndarray:
    """How much each written token attends to each of the source: (written, source) float64, rows that sum to 1.

    source, written: ids without marks, at least one each. The result is the mean over the heads of the last block of
    softmax(q k^T scale), with q from the position that predicted the token.
    """
    with inferring():
        memory, padding = model.memory_of(np.array([source]))
        x = model.write.forward(np.array([[BEGIN, *written[:-1]]]))
        for block in model.decoder:
            h = block.attn_step.leave(x, block.attn.forward(block.attn_step.enter(x)))
            q = heads(block.cross.c_q.forward(block.cross_step.enter(h)), block.cross.n_head)
            k, v = block.cross.keys_and_values(memory)
            x = block.decode(x, k, v, padding)
    scores = to_host(q @ k.swapaxes(-1, -2) * block.cross.scale).astype(np.float64)[0]
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return (p / p.sum(-1, keepdims=True)).mean(0)


def grid(p: np.ndarray, source: Sequence[str], written: Sequence[str], width: int) -> str:
    """`p` as lines for a terminal of `width` characters: a row for each token written, a column for each of the source.

    Columns that do not fit continue below.
    """
    label = max(map(len, written))
    sizes = [len(token) + 2 for token in source]
    blocks, first = [], 0
    while first < len(source):
        last, used = first + 1, label + sizes[first]
        while last < len(source) and used + sizes[last] <= width:
            used += sizes[last]
            last += 1
        here = range(first, last)
        lines = [(" " * label + "".join(source[i].center(sizes[i]) for i in here)).rstrip()]
        for row, token in zip(p, written, strict=True):
            cells = "".join((shade(row[i]) * len(source[i])).center(sizes[i]) for i in here)
            lines.append(f"{token:>{label}}{cells}".rstrip())
        blocks.append("\n".join(lines))
        first = last
    return "\n\n".join(blocks)


def shade(p: float) -> str:
    """The character for a share, darker for a larger one."""
    return SHADES[min(len(SHADES) - 1, int(p * len(SHADES)))]
