"""Beam search with a Transformer: `numgpt.generation.search`, and a cache of both texts that follows the beams."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from numgpt.backend import check_memory
from numgpt.generation.beams import check_search
from numgpt.generation.sampling import Scores
from numgpt.generation.search import Beam, search
from numgpt.generation.translation import BATCH_TOKENS, filled_up, in_batches, log_probabilities, longest
from numgpt.model.transformer import BEGIN, END, Transformer, TransformerCache


def translate_beams(
    model: Transformer, sources: Sequence[Sequence[int]], n_beams: int = 4, length_penalty: float = 1.0
) -> list[list[Beam]]:
    """The best translations that n_beams beams find for each source: a list of Beams, the best first.

    A Beam(ids, logprob, score) holds the ids without marks, their joint log-probability in nats, that of the end mark
    included, and the score that orders the beams, logprob / length ** length_penalty (from -10 to 10); the end mark
    counts in the length. A penalty of 0 prefers short texts. The result for a source does not depend on the others. A
    text ends with its end mark, or with as many tokens as `longest` says.

    Raises InputError as `translate` does, for a number of beams or a penalty outside its range, and for beams that do
    not fit into memory.
    """
    n_beams, penalty = check_search(n_beams, length_penalty)
    check_beams_fit(model, n_beams, max(map(len, sources), default=0))
    most = max(1, BATCH_TOKENS // n_beams)
    return in_batches(sources, most, lambda batch: search_batch(model, batch, n_beams, penalty))


def search_batch(
    model: Transformer, sources: Sequence[Sequence[int]], n_beams: int, length_penalty: float
) -> list[list[Beam]]:
    """`translate_beams` in one batch; a text whose search has ended is computed no further."""
    cache = TransformerCache(model, filled_up(sources))

    def advance(parents: NDArray[np.int64], tokens: NDArray[np.int64]) -> Scores:
        cache.choose(parents)
        return log_probabilities(model.decode(tokens[:, None], cache))

    first = log_probabilities(model.decode(np.full((len(sources), 1), BEGIN), cache))
    limits = [longest(len(source)) for source in sources]
    found = search(first, advance, n_beams, limits, length_penalty, [END])
    return [[beam._replace(ids=[i for i in beam.ids if i != END]) for beam in beams] for beams in found]


def check_beams_fit(model: Transformer, n_beams: int, n_source: int) -> None:
    """Raise InputError if the beams of one source of `n_source` tokens do not fit into memory."""
    config = model.config
    kept = 2 * config.layers * config.d_model * (n_source + longest(n_source))  # keys and values
    size = n_beams * (2 * kept * model.dtype.itemsize + 3 * config.vocab * 8)  # old and new, and log-probabilities
    check_memory(size, f"a search with {n_beams} beams", model.device)
