"""All numbers of a page, in one dict: its ten parts, and the number that it follows."""

from typing import Any

import numpy as np

import numgpt
from numgpt.backend import to_host
from numgpt.explain import backward, choosing, forward, learning, proof, stepping
from numgpt.explain.sources import sources
from numgpt.explain.subject import Subject
from numgpt.explain.tokens import Vocabulary, token_part
from numgpt.model import GPT
from numgpt.tracing import Trace, trace


def gather(
    subject: Subject,
    name: str = "",
    steps: int = 4,
    checkpoints: learning.Models | None = None,
    other: tuple[str, GPT] | None = None,
) -> dict[str, Any]:
    """Everything about `subject`: dicts, lists and arrays, for `packing.pack` or `packing.unpack_to_lists`.

    name: the model's. checkpoints: (label, function that loads it) of each, for part 10; with fewer than two, `steps`
    steps of SGD take their place. other: (name, model) to compare with. Raises InputError if that has another shape.
    """
    model, exact = subject.model, subject.exact
    found = trace(exact, *subject.batch)
    vocabulary = Vocabulary(subject.tokenizer)
    heads = backward.heads_part(subject, found)
    opened = subject.asked or most_effective(heads)
    data = from_trace(found, subject.layers, opened, vocabulary)
    focus = data["focus"]
    data |= {
        "about": about(exact, model.dtype.name, name, subject.prompt, len(subject.ids), subject.layers),
        "tokens": token_part(subject, vocabulary),
        "heads": heads,
        "choosing": choosing.choosing_part(model, subject.ids[: subject.n_prompt], vocabulary),
        "generation": choosing.generation_part(subject, (focus["layer"], focus["head"]), vocabulary),
        "weights": backward.weights_part(exact, subject.layers),
        "proof": proof.proof_part(found, focus),
    }
    if other is not None:
        data["compare"] = compare(subject, *other, vocabulary)
    at = focus["layer"], focus["head"]
    copy = learning.copy_traced(subject, at)
    data["steps"] = stepping.step_part(copy, to_host(model.values))
    data["learning"] = learning.learning_part(subject, copy, at, vocabulary, checkpoints or [], steps)
    return data | {"vocabulary": {str(i): text for i, text in sorted(vocabulary.mentioned.items())}}


def from_trace(
    found: Trace, layers: list[int], opened: list[tuple[int, int]], vocabulary: Vocabulary
) -> dict[str, Any]:
    """The parts that need nothing but a trace of one text, with all names and with targets."""
    channels = forward.chosen_channels(found)
    return {
        "sources": sources(),
        "focus": focus_of(found, opened[0], int(channels[0])),
        "embedding": forward.embedding_part(found, channels),
        "stream": forward.stream_part(found, channels),
        "attention": forward.attention_part(found, layers, opened, channels),
        "mlp": forward.mlp_part(found, layers),
        "lens": forward.lens_part(found, vocabulary),
        "loss": backward.loss_part(found, vocabulary),
        "shares": backward.shares_part(found),
    }


def about(exact: GPT, model_dtype: str, name: str, prompt: str | None, T: int, layers: list[int]) -> dict[str, Any]:
    """What the header of the page says."""
    sizes = {field: getattr(exact.config, field) for field in ("n_layer", "n_head", "n_embd", "n_vocab", "n_ctx")}
    return sizes | {
        "version": numgpt.__version__,
        "model": name,
        "parameters": int(exact.values.size),
        "dtype": exact.dtype.name,
        "model_dtype": model_dtype,
        "prompt": prompt,
        "T": T,
        "layers": layers,
    }


def most_effective(heads: dict[str, Any]) -> list[tuple[int, int]]:
    """For each layer the head without which the loss changes most, as (layer, head); the largest change first."""
    change = np.abs(heads["change"])
    best = [(float(row.max()), layer, int(row.argmax())) for layer, row in zip(heads["layers"], change, strict=True)]
    return [(layer, head) for _, layer, head in sorted(best, key=lambda found: -found[0])]


def focus_of(found: Trace, opened: tuple[int, int], channel: int) -> dict[str, int]:
    """The number that the page follows: position t, key u, channel, and in the head (layer, head) the component d.

    t and u are where the head's |dL/ds| is largest, d where |q dL/dq| is largest at t, neuron where |activation x
    gradient| is.
    """
    layer, head = opened
    at, mlp = f"h.{layer}.attn", f"h.{layer}.mlp.act"
    size = np.abs(found.gradients[f"{at}.s"][0, head])
    size = np.where(np.asarray(found.targets)[0][:, None] >= 0, size, -1)  # only where there is a target
    t, u = (int(i) for i in np.unravel_index(size.argmax(), size.shape))
    q = found.values[f"{at}.q"][0, head, t] * found.gradients[f"{at}.q"][0, head, t]
    act = found.values[mlp][0, t] * found.gradients[mlp][0, t]
    numbers = {"layer": layer, "head": head, "t": t, "u": u, "channel": channel}
    return numbers | {"d": int(np.abs(q).argmax()), "neuron": int(np.abs(act).argmax())}


def compare(subject: Subject, name: str, other: GPT, vocabulary: Vocabulary) -> dict[str, Any]:
    """The same text in another model: its losses, and its likeliest next tokens."""
    learning.check_same_shape(subject.model, other, name)
    logits = trace(other, subject.batch[0], None, ["logits"]).values["logits"][0]
    return {"model": name, **learning.says(logits, subject, vocabulary)}
