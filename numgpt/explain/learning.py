"""Part 10: the same text through a run's checkpoints, or through a few steps of SGD on the text itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.explain.forward import triangle
from numgpt.explain.packing import Picture, losses_of, single, softmax
from numgpt.explain.stepping import PROMISED, add_scaled, squared_norm
from numgpt.explain.subject import Subject
from numgpt.explain.tokens import Vocabulary
from numgpt.files import CHECKPOINT
from numgpt.model import GPT
from numgpt.tracing import Trace, trace
from numgpt.tracing.result import largest

Models = list[tuple[Any, Callable[[], GPT]]]
FRAMES = 12  # of a film at most


def checkpoints_of(name_or_folder: str) -> list[Path]:
    """The checkpoints of a run's folder, oldest first, at most FRAMES, evenly spread; [] for other models."""
    folder = Path(name_or_folder)
    if not folder.is_dir():
        return []
    found = sorted(
        (path for path in folder.iterdir() if CHECKPOINT.fullmatch(path.name) and path.is_dir()),
        key=lambda path: int(path.name.partition("-")[2]),
    )
    n = min(len(found), FRAMES)
    return [found[i * (len(found) - 1) // max(1, n - 1)] for i in range(n)]


def copy_traced(subject: Subject, opened: tuple[int, int]) -> Trace:
    """A trace of a copy of the model, on which steps can be taken; its gradients are those for the text."""
    model = GPT(subject.model.config, seed=None, dtype=subject.model.dtype.name)
    model.values[...] = to_host(subject.model.values)
    return trace(model, *subject.batch, names_of_frame(opened))


def names_of_frame(opened: tuple[int, int]) -> list[str]:
    """The values that a frame of the film shows."""
    return [f"h.{opened[0]}.attn.p", "logits"]


def learning_part(
    subject: Subject, copy: Trace, opened: tuple[int, int], vocabulary: Vocabulary, models: Models, steps: int
) -> dict[str, Any]:
    """Frames, each with the losses, the likeliest next tokens, and the opened head's attention.

    models: (label, function that loads) of a run's checkpoints. With fewer than two, the copy that `copy_traced` made
    takes `steps` steps of SGD on the text; lr is such that the first promises to lower the loss by a tenth.
    """
    names, frames, lr = names_of_frame(opened), [], None
    if len(models) > 1:
        for label, load in models:
            found = trace(load(), subject.batch[0], None, names)
            frames.append(frame(subject, label, found, opened, vocabulary))
    else:
        model, found = copy.model, copy
        frames.append(frame(subject, 0, found, opened, vocabulary))
        lr = PROMISED[0] * frames[0]["loss"] / squared_norm(model)
        for step in range(1, steps + 1):
            add_scaled(model, -lr)
            model.zero_grad()
            found = trace(model, subject.batch[0], subject.batch[1] if step < steps else None, names)
            frames.append(frame(subject, step, found, opened, vocabulary))
    return {"film": lr is None, "layer": opened[0], "head": opened[1], "lr": lr, "frames": frames}


def frame(subject, label, found, opened, vocabulary):
    """One frame of the film."""
    layer, head = opened
    return {
        "label": label,
        **says(found.values["logits"][0], subject, vocabulary),
        "attention": Picture(triangle(found.values[f"h.{layer}.attn.p"][0, head : head + 1])[0]),
    }


def says(logits: np.ndarray, subject: Subject, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a model makes of the text, from its logits (T, V): its losses, and its likeliest next tokens."""
    nll, p = losses_of(logits, subject.targets), softmax(logits[subject.n_prompt - 1])
    top = largest(p[None], min(5, len(p)))[0]
    return {
        "loss": float(np.nanmean(nll)),
        "nll": single(nll),
        "top": vocabulary.mention(top),
        "probabilities": single(p[top]),
    }


def check_same_shape(model: GPT, other: GPT, name: str) -> None:
    """Raise InputError unless both models read the same ids and have as many layers and heads."""
    for field in ("n_vocab", "n_layer", "n_head"):
        ours, theirs = (getattr(each.config, field) for each in (model, other))
        if ours != theirs:
            raise InputError(
                f"{name} has {field} {theirs}, but the explained model has {ours}: they cannot be compared"
            )
