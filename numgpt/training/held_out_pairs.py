"""The loss on held-out pairs, and the BLEU of the translations of their sources."""

import numpy as np

from numgpt.generation.translation import translate
from numgpt.model.transformer import PAD
from numgpt.training.bleu import corpus_bleu, has_sacrebleu
from numgpt.training.evaluate import Loss
from numgpt.training.parallel.team import ALONE

SHOWN = 3  # translations in a sample


class HeldOutPairs:
    """A held-out PairPart, in batches of at most batch_tokens ids on each side; each target is predicted once.

    max_batches: evaluate at most this many batches, spread evenly over all lengths; 0: all. bleu_sentences: compare the
    greedy translations of at most this many sources, also spread evenly, with all their targets; 0: none.
    """

    def __init__(self, part, batch_tokens, max_batches, bleu_sentences, tokenizer):
        self.part, self.tokenizer = part, tokenizer
        self.batches = evenly(part.cut(part.by_length(np.arange(len(part.spans))), batch_tokens), max_batches)
        pairs = np.concatenate(self.batches)
        self.n_tokens = int((part.target_lengths[pairs] + 1).sum())
        self.n_characters = sum(len(tokenizer.decode(part.text(pair, 1))) for pair in pairs)
        references = {}
        for pair in range(len(part.spans)):
            source = tuple(part.text(pair, 0))
            references.setdefault(source, []).append(tokenizer.decode(part.text(pair, 1)))
        self.references = dict(evenly(list(references.items()), bleu_sentences)) if bleu_sentences else {}
        self.shown = evenly(list(references.items()), SHOWN)

    def loss(self, model, team=ALONE):
        """The Loss of `model` without label smoothing or dropout; its mode is then restored.

        The processes of a team share the batches; the first one translates.
        """
        was_training = model.training
        model.eval()
        nats = 0.0
        for pairs in self.batches[team.rank :: team.size]:
            src, tgt = self.part.rows(pairs)
            nats += model.loss(src, tgt, 0.0) * np.count_nonzero(tgt[:, 1:] != PAD)
        nats = team.sum(nats)
        bleu = self.bleu(model) if team.rank == 0 else None
        if was_training:
            model.train()
        return Loss(float(nats), self.n_tokens, self.n_characters, bleu)

    def bleu(self, model):
        """BLEU of the translations, from 0 to 100; None without the sacrebleu library, or if none is asked for."""
        if not self.references or not has_sacrebleu():
            return None
        found = [self.tokenizer.decode(ids) for ids, _ in translate(model, list(self.references))]
        return corpus_bleu(found, list(self.references.values()))[0]

    def sample(self, model):
        """A few sources with the model's translations, as text."""
        found = translate(model, [source for source, _ in self.shown])
        decode = self.tokenizer.decode
        return "\n".join(
            f"{decode(source)} -> {decode(ids)}" for (source, _), (ids, _) in zip(self.shown, found, strict=True)
        )


def evenly(items, most):
    """At most `most` items of a list, evenly spaced; all if `most` is 0."""
    if not 0 < most < len(items):
        return items
    return [items[i * len(items) // most] for i in range(most)]
