"""The loss on text that the model has not been trained on."""

from dataclasses import dataclass

import numpy as np

from numgpt.errors import InputError
from numgpt.generation.sampling import log_probabilities
from numgpt.layers.loss import IGNORE
from numgpt.training.parallel.team import ALONE


@dataclass(frozen=True)
class Loss:
    """A cross-entropy, summed, in nats, and the size of the text it is over; characters is None without a tokenizer.

    bleu: of translations, from 0 to 100. accuracy: of labels, from 0 to 1; `tokens` then counts texts. None if not
    measured.
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
        """Nats per character, which compares models with different tokenizers; None without characters."""
        return self.nats / self.characters if self.characters else None

    def figures(self):
        """name -> number, as in metrics.jsonl."""
        found = {"val_loss": self.per_token, "val_loss_per_character": self.per_character, "bleu": self.bleu}
        if self.accuracy is not None:
            found |= {"accuracy": self.accuracy, "val_texts": self.tokens}
        return {name: value for name, value in found.items() if value is not None}


class HeldOut:
    """A held-out Part with targets, in windows of `context` that do not overlap; each target is predicted once.

    No window crosses a document's edge, so the last of each document may be shorter; windows without a target are left
    out. max_batches: evaluate at most this many batches, spread evenly over the whole; 0: all. Characters are counted
    in the text of the targets, without <|endoftext|>.
    """

    def __init__(self, part, context, batch_size, max_batches, tokenizer):
        self.part = part
        windows = windows_within(part, context)
        limit = max_batches * batch_size
        whole = not 0 < limit < len(windows)
        if not whole:
            windows = windows[np.arange(limit) * len(windows) // limit]
        self.prompt = ids_before_targets(part, *windows[0])
        windows = windows[np.argsort(windows[:, 0] - windows[:, 1], kind="stable")]  # similar lengths share a batch
        self.batches = [windows[i : i + batch_size] for i in range(0, len(windows), batch_size)]
        self.n_tokens = sum(count(targets) for _, targets in self.windows())
        self.n_characters = count_characters(part, part.spans if whole else windows, tokenizer) if tokenizer else None

    def windows(self):
        """Yield (ids, targets) of each batch, both (B, T) int64; a target of -1 does not count."""
        for windows in self.batches:
            yield self.part.rows(windows)

    def loss(self, model, team=ALONE):
        """The Loss of `model` with dropout off; its mode is then restored. A team's processes share the batches."""
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
    """(W, 2): begin and end of each window with a target: at most `context` ids, and the target of the last."""
    found = [
        (start, min(start + context + 1, end))
        for begin, end in part.spans.tolist()
        for start in range(begin, end - 1, context)
    ]
    return np.array([window for window in found if part.learnt(*window).any()])


def ids_before_targets(part, begin, end):
    """The ids of a window before its first target, a list."""
    return part.ids[begin : begin + 1 + int(part.learnt(begin, end).argmax())].tolist()


def count_characters(part, windows, tokenizer):
    """The number of characters in the targets of `windows`, decoded window by window."""
    texts = (part.ids[begin + 1 : end][part.learnt(begin, end)] for begin, end in windows)
    return sum(len(tokenizer.decode(text[text != tokenizer.end_of_text].tolist())) for text in texts)


def part_losses(model, part):
    """-log p of each target of a Part, (n_targets,) float64 in nats; each document is read by itself.

    Raises InputError as `token_losses` does.
    """
    return np.concatenate(
        [
            token_losses(model, part.ids[begin:end], model.config.n_ctx)[part.learnt(begin, end)]
            for begin, end in part.spans
            if part.learnt(begin, end).any()
        ]
    )


@np.errstate(over="ignore", invalid="ignore")  # reported below, in our words
def token_losses(model, tokens, context):
    """-log p of each of tokens[1:], (N - 1,) float64 in nats, for tokens (N,), N >= 2.

    Windows of `context` do not overlap, so the first target of each is predicted from a single token. Raises InputError
    for a model whose losses are not finite numbers.
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
