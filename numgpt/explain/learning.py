"""Part 10: the same text through a run's checkpoints, or through a few steps of SGD on this very text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numgpt.errors import InputError
from numgpt.explain.forward import triangle
from numgpt.explain.numbers import Picture, single, softmax
from numgpt.explain.proof import PROMISED, add_scaled
from numgpt.explain.subject import Subject
from numgpt.explain.tokens import Vocabulary
from numgpt.files import CHECKPOINT
from numgpt.model import GPT
from numgpt.tracing import Trace, trace

FRAMES = 12  # of a film at most


def checkpoints_of(name_or_folder: str) -> list[Path]:
    """The checkpoints of a run's folder, oldest first, FRAMES of them at most, evenly spread; [] for other models."""
    folder = Path(name_or_folder)
    if not folder.is_dir():
        return []
    found = sorted(
        (path for path in folder.iterdir() if CHECKPOINT.fullmatch(path.name) and path.is_dir()),
        key=lambda path: int(path.name.partition("-")[2]),
    )
    n = min(len(found), FRAMES)
    return [found[i * (len(found) - 1) // max(1, n - 1)] for i in range(n)]


def learning_part(
    subject: Subject, found: Trace, opened: tuple[int, int], vocabulary: Vocabulary, models: list[Any], steps: int
) -> dict[str, Any]:
    """Frames: of each the losses, what would come next, and the opened head's attention.

    models: (label, function that loads) of a run's checkpoints. With fewer than two, `steps` steps of SGD are taken on
    the exact copy, whose weights are then others.
    """
    film = len(models) > 1
    lr = None if film else PROMISED[0] * found.loss / float(np.vdot(found.model.grads, found.model.grads))
    stages = ((label, load()) for label, load in models) if film else sgd(subject, found.model, lr, steps)
    frames = [frame(subject, label, model, opened, vocabulary) for label, model in stages]
    return {"film": film, "layer": opened[0], "head": opened[1], "lr": lr, "frames": frames}


def sgd(subject: Subject, model: GPT, lr: float, steps: int) -> Iterator[tuple[int, GPT]]:
    """(step, model) before the first step and after each; the first one's gradients are there already."""
    yield 0, model
    for step in range(1, steps + 1):
        if step > 1:
            model.zero_grad()
            model.loss(*subject.batch)
            model.backward()
        add_scaled(model, -lr)
        yield step, model


def frame(subject, label, model, opened, vocabulary):
    """One frame of the film."""
    layer, head = opened
    name = f"h.{layer}.attn.p"
    found = trace(model, subject.batch[0], None, [name, "logits"])
    found.targets = subject.batch[1]
    nll = found.nll[0]
    p = softmax(found.values["logits"][0, subject.n_prompt - 1])
    top = np.argsort(-p, kind="stable")[:5]
    return {
        "label": label,
        "loss": float(np.nanmean(nll)),
        "nll": single(nll),
        "top": vocabulary.mention(top),
        "probabilities": single(p[top]),
        "attention": Picture(triangle(found.values[name][0, head : head + 1])[0]),
    }


def check_same_shape(model: GPT, other: GPT, name: str) -> None:
    """Raise InputError unless both models read the same ids and have as many layers and heads."""
    for field in ("n_vocab", "n_layer", "n_head"):
        ours, theirs = (getattr(each.config, field) for each in (model, other))
        if ours != theirs:
            raise InputError(f"{name} has {field} {theirs}, and the explained model {ours}: they cannot be compared")
