"""Batches of labelled texts of similar lengths; and the loss and accuracy on held-out ones."""

import numpy as np

from numgpt.generation.classification import classify
from numgpt.generation.sampling import log_softmax
from numgpt.model.transformer import PAD
from numgpt.training.documents import counted
from numgpt.training.evaluate import Loss
from numgpt.training.held_out_pairs import evenly
from numgpt.training.pair_batches import PairBatches, PairPart
from numgpt.training.parallel.team import ALONE

SHOWN = 3  # texts in a sample
SHOWN_CHARACTERS = 60


class LabelledPart(PairPart):
    """The ids of texts and the numbers of their labels: a PairPart whose targets are labels."""

    @property
    def amount(self):
        """Its size, in words."""
        return f"{int(self.source_lengths.sum()):,} tokens in {counted(len(self.spans), 'text')}"

    def rows(self, texts):
        """(ids, labels), int64, of the texts with these numbers: (B, S), padded, and (B,)."""
        ids = np.full((len(texts), self.source_lengths[texts].max()), PAD, np.int64)
        for row, text in zip(ids, texts, strict=True):
            own = self.text(text, 0)
            row[: len(own)] = own
        return ids, np.array([self.text(text, 1)[0] for text in texts])


class LabelledBatches(PairBatches):
    """Epochs of labelled texts, as in PairBatches: batches of (ids, labels), the arguments of a Classifier's `loss`.

    part: a LabelledPart. rng: a numpy.random.Generator, used at the start of each epoch.
    """

    def __init__(self, part, batch_tokens, rng):
        super().__init__(part, batch_tokens, 0.0, rng)

    def draw(self):
        """The next batch: (ids, labels)."""
        return super().draw()[:2]

    @staticmethod
    def count(ids, labels):
        """(number of labels, number of tokens)."""
        return len(labels), int(np.count_nonzero(ids != PAD))

    def n_kept(self, config, _):
        """A lower bound on the numbers kept of a batch for backward: those of a Transformer's encoder."""
        n = max(self.batch_tokens, int(self.part.widths.max()))
        return n * config.layers * (5 * config.d_model + 2 * config.d_ff)

    @property
    def size(self):
        """The size of a batch, in words."""
        return f"{self.batch_tokens:,} tokens"


class HeldOutTexts:
    """A held-out LabelledPart, in batches of at most batch_tokens ids.

    max_batches: evaluate at most this many batches, spread evenly over all lengths; 0: all.
    """

    def __init__(self, part, batch_tokens, max_batches, tokenizer):
        self.part, self.tokenizer = part, tokenizer
        self.batches = evenly(part.cut(part.by_length(np.arange(len(part.spans))), batch_tokens), max_batches)
        self.n_texts = sum(map(len, self.batches))

    def loss(self, model, team=ALONE):
        """The Loss of `model` with dropout off, its `tokens` counting texts; the model's mode is then restored.

        The processes of a team share the batches.
        """
        was_training = model.training
        model.eval()
        nats, n_right = 0.0, 0
        for texts in self.batches[team.rank :: team.size]:
            ids, labels = self.part.rows(texts)
            log_p = log_softmax(model.forward(ids))
            nats -= log_p[np.arange(len(labels)), labels].sum()
            n_right += int((log_p.argmax(-1) == labels).sum())
        if was_training:
            model.train()
        nats, n_right = team.sum(float(nats)), team.sum(n_right)
        return Loss(nats, self.n_texts, None, accuracy=n_right / self.n_texts)

    def sample(self, model):
        """A few texts, each with the label that the model gives it and the right one, as text."""
        shown = evenly(np.arange(len(self.part.spans)), SHOWN)
        texts = [self.part.text(text, 0) for text in shown]
        lines = []
        for text, ids, p in zip(shown, texts, classify(model, texts), strict=True):
            words = " ".join(self.tokenizer.decode(ids).split())
            words = words if len(words) <= SHOWN_CHARACTERS else words[: SHOWN_CHARACTERS - 3] + "..."
            right = model.labels[self.part.text(text, 1)[0]]
            likeliest = max(range(len(p)), key=p.__getitem__)
            lines.append(f"{words} -> {model.labels[likeliest]} ({p[likeliest]:.2f}); right: {right}")
        return "\n".join(lines)
