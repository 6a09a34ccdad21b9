"""The loss on text that the model has not been trained on."""

from dataclasses import dataclass

import numpy as np

from numgpt.errors import InputError
from numgpt.generation.sampling import log_probabilities
from numgpt.layers.loss import IGNORE
from numgpt.training.parallel.team import ALONE


@dataclass(frozen=True)
class Loss:
    """A summed cross-entropy in nats, and over how much text; characters is None where there is no tokenizer.

    bleu: of translations; accuracy: of labels, and then texts are counted as tokens are elsewhere. None where there are
    none.
    """

    nats: float
    tokens: int
    characters: int | None
    bleu: float | None = None
    accuracy: float | None = None

    @property
    def per_token(self):
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def per_character(self):
        """Nats per character, which compares models with different tokenizers; None where they cannot be counted."""
        return self.nats / self.characters if self.characters else None

    def figures(self):
        """name -> number, as metrics.jsonl has them."""
        found = {"val_loss": self.per_token, "val_loss_per_character": self.per_character, "bleu": self.bleu}
        if self.accuracy is not None:
            found |= {"accuracy": self.accuracy, "val_texts": self.tokens}
        return {name: value for name, value in found.items() if value is not None}


class HeldOut:
    """A Part that is held out, with targets, in windows of T that do not overlap; each target is predicted once.

    Windows lie within documents, so that the last of each may be shorter; those without a target are left out.
    max_batches: of how many batches of windows at most, taken evenly from the whole; 0 is all. Characters are counted
    in the text of the targets; an <|endoftext|> is none.
    """

    def __init__(self, part, context, batch_size, max_batches, tokenizer):
        self.part = part
        windows = windows_within(part, context)
        limit = max_batches * batch_size
        whole = not 0 < limit < len(windows)
        if not whole:
            windows = windows[np.arange(limit) * len(windows) // limit]
        self.prompt = ids_before_targets(part, *windows[0])
        windows = windows[np.argsort(windows[:, 0] - windows[:, 1], kind="stable")]  # like lengths read together
        self.batches = [windows[i : i + batch_size] for i in range(0, len(windows), batch_size)]
        self.n_tokens = sum(count(targets) for _, targets in self.windows())
        self.n_characters = count_characters(part, part.spans if whole else windows, tokenizer) if tokenizer else None

    def windows(self):
        """Yield (ids, targets), (B, T) int64 each, over the windows; a target of -1 does not count."""
        for windows in self.batches:
            yield self.part.rows(windows)

    def loss(self, model, team=ALONE):
        """The Loss of `model`, dropout off; the model is left in the mode it was in. A team deals out the batches."""
        was_training = model.training
        model.eval()
        own = map(self.part.rows, self.batches[team.rank :: team.size])
        nats = team.sum(sum(model.loss(ids, targets) * count(targets) for ids, targets in own))
        if was_training:
            model.train()
        return Loss(nats, self.n_tokens, self.n_characters)


def count(targets):
    """How many targets count."""
    return int(np.count_nonzero(targets != IGNORE))


def windows_within(part, context):
    """(W, 2): where windows begin and end that have targets, each of at most `context` and its last target."""
    found = [
        (start, min(start + context + 1, end))
        for begin, end in part.spans.tolist()
        for start in range(begin, end - 1, context)
    ]
    return np.array([window for window in found if part.learnt(*window).any()])


def ids_before_targets(part, begin, end):
    """The ids of a window up to the first that is learnt, a list."""
    return part.ids[begin : begin + 1 + int(part.learnt(begin, end).argmax())].tolist()


def count_characters(part, windows, tokenizer):
    """How many characters the ids that are learnt of `windows` make up, read window by window."""
    texts = (part.ids[begin + 1 : end][part.learnt(begin, end)] for begin, end in windows)
    return sum(len(tokenizer.decode(text[text != tokenizer.end_of_text].tolist())) for text in texts)


def part_losses(model, part):
    """-log p of each id of a Part that is learnt, (n_targets,) float64 in nats, each document read by itself.

    Raises InputError as `token_losses` does.
    """
    return np.concatenate(
        [
            token_losses(model, part.ids[begin:end], model.config.n_ctx)[part.learnt(begin, end)]
            for begin, end in part.spans
            if part.learnt(begin, end).any()
        ]
    )


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
