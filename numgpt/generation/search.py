"""Beam search: of all texts that a model can add, one with a high probability as a whole (Graves 2012; Sutskever et
al. 2014, section 3.2), where greedy choosing takes the likeliest token and regrets it later.

The search keeps the n likeliest beginnings, the beams, and at each step of all their continuations again the n
likeliest. One that chooses an id of `stop_ids`, or has its last token, is finished and gets the score

    score = log p(tokens) / length ** length_penalty        length: all new tokens, the stop id included

A penalty above 0 favours long texts, as log p only falls with each token; below 0 short ones. A text's search ends when
n are finished and the likeliest beam, at the length it has, would score no better than the worst of these. All of it as
in the transformers library with early_stopping=False, its default, which calls the last rule a heuristic: with a
penalty above 0 a beam could still gain by growing. With as many beams as there are texts, nothing is cut off.

The search knows no model. `search` gets the log-probabilities of the first token and a function for those of the next.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from numgpt.generation.sampling import Scores, largest

Advance = Callable[[NDArray[np.int64], NDArray[np.int64]], Scores]


class Beam(NamedTuple):
    """What was added to a prompt: the new ids, the stop id included, log p of all of them in nats, and the score."""

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
    """For each of B prompts up to n_beams Beams, the best first; none where no token could come.

    first: (B, V) float64, log-probabilities of the token after each prompt; -inf for one that cannot come.
    advance(parents, tokens): the same, (R, V), for what follows when row parents[r] of the rows before, at the
    beginning those of `first`, is followed by tokens[r]. It has to bring its cache into the order of `parents`, (R,),
    and read tokens, (R,). Prompts whose search has ended have no rows any more.

    max_new_tokens: at least 1, for all prompts or for each. Nothing is checked here.
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
    """The search for one prompt: its `beams` that run, likeliest first, and those that are `finished`, best first."""

    def __init__(self, n_beams: int, max_new_tokens: int, length_penalty: float, stop_ids: Sequence[int]) -> None:
        self.n_beams, self.max_new_tokens, self.length_penalty = n_beams, max_new_tokens, length_penalty
        self.stop_ids = frozenset(stop_ids)
        self.beams = [Beam([], 0.0, 0.0)]
        self.finished: list[Beam] = []
        self.length = 0

    def extend(self, logprobs: Scores) -> list[tuple[int, int]]:
        """Continue by one token; logprobs: (beams, V). Of each new beam (place of the one that it continues, token)."""
        self.length += 1
        running: list[Beam] = []
        moves: list[tuple[int, int]] = []
        for rank, (parent, token, logprob) in enumerate(self.candidates(logprobs)):
            ids = [*self.beams[parent].ids, token]
            beam = Beam(ids, logprob, logprob / self.length**self.length_penalty)
            if token in self.stop_ids or self.length == self.max_new_tokens:
                if rank < self.n_beams:  # those behind are there to continue, and were not good enough to end
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
        """(beam, token, log p of all) of the likeliest continuations: so many that n continue, even if others end."""
        total = logprobs + np.array([[beam.logprob] for beam in self.beams])
        V = total.shape[1]
        for place in largest(total.ravel(), max(2, 1 + len(self.stop_ids)) * self.n_beams).tolist():
            if total.flat[place] > -np.inf:
                yield place // V, place % V, float(total.flat[place])
