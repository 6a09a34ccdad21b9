"""What to explain: a text, as a model reads it, and how much of what happens inside to show."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.model import GPT

WHOLE = 64  # tokens up to which everything is shown
LONGEST = 256  # tokens up to which chosen layers can be shown
DOUBLE = 250_000_000  # parameters up to which a model is copied to float64: with gradients, 4 GB


@dataclass
class Subject:
    """ids and targets, (T,), -1 where a target does not count; n_prompt of the ids are the prompt's.

    exact: a copy of the model on the host, float64 unless the model is too large, which is traced and stepped; `model`
    itself is never changed. layers: the blocks to show. asked: the (layer, head) pairs to open, or None. own_target:
    whether the model's likeliest token is the target, as nothing comes after a prompt of one token.
    """

    model: GPT
    exact: GPT
    tokenizer: Any
    prompt: str
    ids: np.ndarray
    targets: np.ndarray
    n_prompt: int
    layers: list[int]
    asked: list[tuple[int, int]] | None
    own_target: bool

    @property
    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """ids and targets as a batch of one."""
        return self.ids[None], self.targets[None]


def read_subject(
    model: GPT,
    tokenizer: Any,
    prompt: str,
    target: str | None = None,
    layers: str | None = None,
    heads: str | None = None,
) -> Subject:
    """The Subject of `prompt`. target: what is to come after it; None: the prompt's own next tokens are the targets.

    layers: numbers, "0,5". heads: "0.3,5.1", layer and head. Raises InputError for an empty text, for one that is too
    long, and for layers and heads that do not exist.
    """
    prompt_ids = encode(tokenizer, prompt, "the prompt")
    target_ids = [] if target is None else encode(tokenizer, target, "the target")
    ids, targets, own = with_targets(model, prompt_ids, target_ids)
    check_length(model, len(ids), layers)
    return Subject(
        model=model,
        exact=exact_copy(model),
        tokenizer=tokenizer,
        prompt=prompt,
        ids=ids,
        targets=targets,
        n_prompt=len(prompt_ids),
        layers=read_layers(layers, model.config.n_layer),
        asked=read_heads(heads, model.config),
        own_target=own,
    )


def encode(tokenizer, text, name):
    """The ids of a text. Raises InputError if there are none."""
    ids = tokenizer.encode(text)
    if not ids:
        raise InputError(f"{name} is empty: give some text to explain")
    return ids


def with_targets(model, prompt, target):
    """(ids, targets, whether the target is the model's own choice) of the ids of prompt and target."""
    everything = [*prompt, *target]
    if target:
        ids, targets = everything[:-1], [-1] * (len(prompt) - 1) + target
        return np.array(ids), np.array(targets), False
    if len(prompt) > 1:
        return np.array(prompt), np.array([*prompt[1:], -1]), False
    likeliest = int(to_host(model.forward(np.array([prompt])))[0, -1].argmax())
    return np.array(prompt), np.array([likeliest]), True


def check_length(model, T, layers):
    """Raise InputError for a text of T tokens that cannot be shown, or only in chosen layers."""
    if model.config.n_ctx < T:
        raise InputError(f"the text has {T} tokens, but the model reads {model.config.n_ctx} (n_ctx): shorten it")
    if T > LONGEST:
        raise InputError(f"the text has {T} tokens: at most {LONGEST} can be shown; choose a part of the text")
    if T > WHOLE and layers is None:
        raise InputError(
            f"the text has {T} tokens: more than {WHOLE} are shown only in chosen layers; choose some, "
            f"for example --layers 0,{model.config.n_layer - 1}, or a part of the text"
        )


def read_layers(text, n_layer):
    """The numbers in "0,5"; all if text is None."""
    if text is None:
        return list(range(n_layer))
    return sorted({read_number(part, "--layers", "layer", n_layer) for part in text.split(",")})


def read_heads(text, config):
    """The (layer, head) pairs in "0.3,5.1"; None if text is None."""
    if text is None:
        return None
    found = []
    for part in text.split(","):
        layer, _, head = part.partition(".")
        pair = (
            read_number(layer, "--heads", "layer", config.n_layer),
            read_number(head, "--heads", "head", config.n_head),
        )
        found += [pair] if pair not in found else []
    return found


def read_number(text, option, what, n):
    """A number from 0 to n - 1. Raises InputError for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and int(text[:9]) < n):
        form = "layer.head, such as 0.3" if option == "--heads" else "numbers, such as 0,5"
        raise InputError(f"{option} takes {form}; the model has {what}s 0 to {n - 1}, and {text!r:.40} is none of them")
    return int(text)


def exact_copy(model: GPT) -> GPT:
    """A copy of `model` on the host, in float64 unless it is too large for that; its gradients are zero."""
    dtype = "float64" if model.values.size <= DOUBLE else model.dtype.name
    copy = GPT(model.config, seed=None, dtype=dtype)
    copy.values[...] = to_host(model.values)
    return copy
