"""Token ids, the documents that they form, and which of them are learnt.

If the tokenizer has <|endoftext|>, a document begins and ends with one, as in GPT-2's training: the one between two
documents is the last id of the first and the first id of the second, whose text begins without other context.
"""

from typing import NamedTuple

import numpy as np

from numgpt.layers.loss import IGNORE


class Part(NamedTuple):
    """ids: (N,) whole numbers. documents: (D, 2), begin and end of each in ids; None: there is only one.

    counts: (N,), 1 for an id that is learnt, 0 for one that is only read; None: all are learnt except the first of each
    document, which nothing precedes.
    """

    ids: np.ndarray
    documents: np.ndarray | None = None
    counts: np.ndarray | None = None

    @property
    def spans(self):
        """(D, 2): begin and end of each document."""
        return np.array([[0, len(self.ids)]]) if self.documents is None else self.documents

    @property
    def n_targets(self):
        """How many ids are learnt."""
        if self.counts is not None:
            return int(np.count_nonzero(self.counts))
        return int(np.maximum(self.spans[:, 1] - self.spans[:, 0] - 1, 0).sum())

    @property
    def amount(self):
        """Its size, in words."""
        learnt = "" if self.counts is None else f" ({self.n_targets:,} of them learnt)"
        documents = "" if self.documents is None else f" in {len(self.documents):,} documents"
        return f"{len(self.ids):,} tokens{learnt}{documents}"

    def learnt(self, begin, end):
        """(end - begin - 1,) bool: which of ids[begin + 1 : end] are learnt."""
        return np.ones(end - begin - 1, bool) if self.counts is None else self.counts[begin + 1 : end] != 0

    def targets(self):
        """All ids that are learnt, a list, document by document."""
        return [i for begin, end in self.spans for i in self.ids[begin + 1 : end][self.learnt(begin, end)].tolist()]

    def joined(self):
        """The Part with its documents joined into one text."""
        return self._replace(documents=None if self.counts is None else np.array([[0, len(self.ids)]]))

    def rows(self, windows):
        """(ids, targets), both (B, T) int64, of `windows`, (B, 2): begin and end of each. T is that of the longest.

        A target that is not learnt is -1; shorter rows are padded with ids whose targets are -1.
        """
        T = int((windows[:, 1] - windows[:, 0]).max()) - 1
        ids, targets = np.zeros((len(windows), T), np.int64), np.full((len(windows), T), IGNORE)
        for i, (begin, end) in enumerate(windows):
            row = self.ids[begin:end].astype(np.int64)
            ids[i, : len(row) - 1] = row[:-1]
            targets[i, : len(row) - 1] = np.where(self.learnt(begin, end), row[1:], IGNORE)
        return ids, targets


def part_of_tokens(ids, end):
    """The Part of ids whose documents end with the id `end`; None: there is no such id."""
    return _without_one(Part(ids, spans_between(ids, end)))


def part_of_documents(documents, encode, end, is_apart, is_lines):
    """The Part of a list of Document: prompts are only read, the texts after them learnt.

    encode: from text to ids. end: the id of <|endoftext|>, put between documents if `is_apart`; None: there is no such
    id. is_lines: whether <|endoftext|> within a document does not end it.
    """
    ends = [end] if is_apart and end is not None else []
    ids, counts, lengths = [np.array(ends, int)], [np.zeros(len(ends), np.uint8)], []
    for document in documents:
        prompt, text = encode(document.prompt) if document.prompt else [], encode(document.text)
        text = [*text, *ends] if text[-1:] != ends else text
        ids.append(np.array([*prompt, *text]))
        counts.append(np.repeat(np.array([0, 1], np.uint8), [len(prompt), len(text)]))
        lengths.append(len(ids[-1]))
    ids, counts = np.concatenate(ids), np.concatenate(counts)
    lasts = len(ends) + np.cumsum(lengths)
    firsts = lasts - lengths - len(ends)
    counts[0 if ends else firsts] = 0
    spans = spans_between(ids, end) if not is_lines and end is not None else np.stack([firsts, lasts], 1)
    return _without_one(Part(ids, spans, counts if any(document.prompt for document in documents) else None))


def spans_between(ids, end):
    """(D, 2): begin and end of each document of at least two ids, from one id `end` to the next, both included."""
    places = np.flatnonzero(ids == end) if end is not None else np.array([], int)
    spans = np.stack([np.concatenate([[0], places]), np.concatenate([places + 1, [len(ids)]])], 1)
    return spans[spans[:, 1] - spans[:, 0] > 1]


def _without_one(part):
    """The Part without `documents` if a single one is all of it, and all is learnt."""
    whole = part.counts is None and np.array_equal(part.documents, [[0, len(part.ids)]])
    return part._replace(documents=None) if whole else part
