"""Beam search for a continuation that is likely as a whole (Graves 2012; Sutskever et al. 2014, section 3.2).

Greedy decoding takes the likeliest token even if all texts that begin with it are unlikely. Beam search keeps the n
likeliest beginnings, the beams, and at each step the n likeliest of all their continuations. A beam that chooses one of
`stop_ids`, or has its last token, is finished and gets the score

    score = log p(tokens) / length ** length_penalty        length: all new tokens, the stop id included

A penalty above 0 favours long texts, since log p only falls with each token; one below 0 favours short ones. The search
for a prompt ends when n beams are finished and the likeliest running beam, at its present length, would score no better
than the worst of them. The transformers library does the same with early_stopping=False, its default, and calls the
last rule a heuristic: with a penalty above 0 a beam could still gain by growing. With as many beams as there are texts,
nothing is cut off.

`search` knows nothing of models: it gets the log-probabilities of the first token and a function for those of the next.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numgpt.generation.sampling import Scores, largest

Advance = Callable[[NDArray[np.int64], NDArray[np.int64]], Scores]


class Beam(NamedTuple):
    """What was added to a prompt: the new ids, the stop id included, their joint log p in nats, and the score."""

    ids: list[int]
    logprob: float
    score: float


def search(
    first: Scores,
    advance: Advance,
    n_beams: int,
    max_new_tokens: int | Sequence[int],
    length_penalty: float = 1.0,
    stop_ids: Sequence[int] = (),
) -> list[list[Beam]]:
    """For each of B prompts up to n_beams Beams, the best first; none if no token was possible.

    first: (B, V) float64, log-probabilities of the token after each prompt; -inf for an impossible one.
    advance(parents, tokens), of (R,) ints each: the same, (R, V), for R new rows, of which row r is the old row
    parents[r] followed by tokens[r]; the first old rows are those of `first`. It has to bring its cache into the order
    of `parents` and to read `tokens`. Prompts whose search has ended have no rows any more.

    max_new_tokens: one number for all prompts or one for each, at least 1. Nothing is checked here.
    """
    limits = np.broadcast_to(max_new_tokens, len(first)).tolist()
    texts = [Search(n_beams, limit, length_penalty, stop_ids) for limit in limits]
    running, logprobs = texts, first
    while running:
        moves, row = [], 0
        for text in running:
            n = len(text.beams)
            moves += [(row + parent, token) for parent, token in text.extend(logprobs[row : row + n])]
            row += n
        running = [text for text in running if text.beams]
        if running:
            logprobs = advance(*np.array(moves).T)
    return [text.finished for text in texts]


class Search:
    """The search for one prompt: its running `beams`, likeliest first, and those that are `finished`, best first."""

    def __init__(self, n_beams: int, max_new_tokens: int, length_penalty: float, stop_ids: Sequence[int]) -> None:
        self.n_beams, self.max_new_tokens, self.length_penalty = n_beams, max_new_tokens, length_penalty
        self.stop_ids = frozenset(stop_ids)
        self.beams = [Beam([], 0.0, 0.0)]
        self.finished: list[Beam] = []
        self.length = 0

    def extend(self, logprobs: Scores) -> list[tuple[int, int]]:
        """Continue by one token, from logprobs (beams, V). Returns (place of the old beam, token) for each new beam."""
        self.length += 1
        running: list[Beam] = []
        moves: list[tuple[int, int]] = []
        for rank, (parent, token, logprob) in enumerate(self.candidates(logprobs)):
            ids = [*self.beams[parent].ids, token]
            beam = Beam(ids, logprob, logprob / self.length**self.length_penalty)
            if token in self.stop_ids or self.length == self.max_new_tokens:
                if rank < self.n_beams:  # candidates after the n-th may continue but not finish
                    self.finished.append(beam)
            elif len(running) < self.n_beams:
                running.append(beam)
                moves.append((parent, token))
        self.finished = sorted(self.finished, key=lambda beam: -beam.score)[: self.n_beams]
        full = len(self.finished) == self.n_beams
        if full and running and running[0].score <= self.finished[-1].score:
            running, moves = [], []
        self.beams = running
        return moves

    def candidates(self, logprobs: Scores) -> Iterator[tuple[int, int, float]]:
        """(beam, token, joint log p) of the likeliest continuations: enough for n to continue even if others end."""
        total = logprobs + np.array([[beam.logprob] for beam in self.beams])
        V = total.shape[1]
        for place in largest(total.ravel(), max(2, 1 + len(self.stop_ids)) * self.n_beams).tolist():
            if total.flat[place] > -np.inf:
                yield place // V, place % V, float(total.flat[place])
