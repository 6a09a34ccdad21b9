"""The loss on text that the model has not been trained on."""

from dataclasses import dataclass

import numpy as np

from numgpt.errors import InputError
from numgpt.generation.sampling import log_probabilities


@dataclass(frozen=True)
class Loss:
    """A summed cross-entropy in nats, and over how much text; characters is None where there is no tokenizer."""

    nats: float
    tokens: int
    characters: int | None

    @property
    def per_token(self):
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def per_character(self):
        """Nats per character, which compares models with different tokenizers; None where they cannot be counted."""
        return self.nats / self.characters if self.characters else None


class HeldOut:
    """Held-out tokens, (N,), N >= 2, in windows of T that do not overlap; each token but the first is predicted once.

    The last window may be shorter. max_batches: of how many batches of windows at most, taken evenly from the
    whole; 0 is all. Characters are counted in the text of the tokens that are predicted.
    """

    def __init__(self, tokens, context, batch_size, max_batches, tokenizer):
        self.tokens = tokens
        starts = np.arange(0, len(tokens) - 1, context)
        limit = max_batches * batch_size
        whole = not 0 < limit < len(starts)
        if not whole:
            starts = starts[np.arange(limit) * len(starts) // limit]
        n_full = int((starts + context < len(tokens)).sum())
        self.batches = [starts[i : min(i + batch_size, n_full)] for i in range(0, n_full, batch_size)]
        self.batches += [starts[n_full:]] if n_full < len(starts) else []
        self.context = context
        texts = [tokens[1:]] if whole else [row for _, targets in self.windows() for row in targets]
        self.n_tokens = sum(len(text) for text in texts)
        self.n_characters = sum(len(tokenizer.decode(text.tolist())) for text in texts) if tokenizer else None

    def windows(self):
        """Yield (ids, targets), (B, T) int64 each, over the windows."""
        for starts in self.batches:
            rows = np.stack([self.tokens[start : start + self.context + 1] for start in starts]).astype(np.int64)
            yield rows[:, :-1], rows[:, 1:]

    def loss(self, model):
        """The Loss of `model`, dropout off; the model is left in the mode it was in."""
        was_training = model.training
        model.eval()
        nats = sum(model.loss(ids, targets) * targets.size for ids, targets in self.windows())
        if was_training:
            model.train()
        return Loss(nats, self.n_tokens, self.n_characters)


@np.errstate(over="ignore", invalid="ignore")  # what NumPy would warn of ends with a message
def token_losses(model, tokens, context):
    """-log p of each of tokens[1:], (N - 1,) float64 in nats, for tokens (N,), N >= 2.

    Read in windows of `context` that do not overlap, so that a window's first token is predicted from one before it.
    Raises InputError for a model whose losses are not finite numbers.
    """
    losses = []
    for start in range(0, len(tokens) - 1, context):
        ids = np.asarray(tokens[start : start + context + 1], np.int64)
        logits = model.forward(ids[None, :-1])[0]
        losses.append(-log_probabilities(logits, ids[1:]))
        if not np.isfinite(losses[-1]).all():
            raise InputError(
                "the model's losses are not finite numbers: its weights are damaged or overflow (NaN or infinity); "
                "load it again, or train with a smaller learning rate"
            )
    return np.concatenate(losses)
