"""The loss without a part of the model: measured, and estimated to first order from the gradients."""

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.model import GPT
from numgpt.model.gpt import check_model
from numgpt.tracing.rerun import losses_with
from numgpt.tracing.result import Trace
from numgpt.tracing.walk import texts, trace

PART = re.compile(r"h\.(\d+)(?:\.(attn|mlp)(?:\.(\d+))?)?")


class Ablation(NamedTuple):
    """what: the part left out. loss: with all parts, in nats; without: without it. estimate: of the change.

    The change itself is without - loss. The estimate is -sum(dLoss/dvalue * value) over what the part writes: the
    change if the loss were linear in it.
    """

    what: str
    loss: float
    without: float
    estimate: float

    @property
    def change(self) -> float:
        """By how much the loss rises when the part is left out."""
        return self.without - self.loss


def ablate(model: GPT, ids: Any, targets: Any, what: str | Iterable[str]) -> list[Ablation]:
    """An Ablation for each part in `what`, a name or several, on ids and targets, (B, T) each.

    "h.3" is block 3, "h.3.attn" its attention, "h.3.mlp" its feed-forward network, "h.3.attn.5" its head 5,
    "h.3.mlp.77" its neuron 77. A part that is left out writes zeros, which for a whole attention or feed-forward
    network includes its bias. The model's gradients are restored afterwards. Raises InputError as `trace` does, without
    targets, and for a part that the model does not have.
    """
    check_model(model)
    if targets is None:
        raise InputError("targets are missing: without them there is no loss")
    parts = texts(what, "what")
    places = {part: places_of(model, part) for part in parts}
    gradients = model.grads.copy()
    names = sorted({name for found in places.values() for name, _ in found})
    whole = trace(model, ids, targets, names or ["embed"])
    model.grads[...] = gradients
    loss = without_change(whole)
    without = losses_without(whole, parts)
    return [Ablation(part, loss, without[part], estimate(whole, part)) for part in parts]


def estimate(whole: Trace, part: str) -> float:
    """The change of the loss without a part, to first order, from the values that it writes and their gradients."""
    places = places_of(whole.model, part)
    return -sum(float((whole.gradients[name][here] * whole.values[name][here]).sum()) for name, here in places)


def without_change(whole: Trace) -> float:
    """The loss with every part, summed as in `losses_without`, so that rounding does not pass for a change."""
    (loss,) = losses_with(whole, len(whole.model.h), [{}])
    return loss


def losses_without(whole: Trace, parts: Iterable[str]) -> dict[str, float]:
    """The loss without each of the parts, one at a time; those of one block run side by side, from that block on."""
    by_block: dict[int, list[str]] = {}
    for part in parts:
        by_block.setdefault(int(part.split(".")[1]), []).append(part)
    losses: dict[str, float] = {}
    for block, found in by_block.items():
        changes = [{name: zeroed(here) for name, here in places_of(whole.model, part)} for part in found]
        losses |= dict(zip(found, losses_with(whole, block, changes), strict=True))
    return losses


def zeroed(here: Any) -> Callable[[Any], Any]:
    """A function that sets the part `here` of a copy of a value to 0."""

    def set_to_zero(value: Any) -> Any:
        value = value.copy()
        value[here] = 0
        return value

    return set_to_zero


def places_of(model: GPT, part: str) -> list[tuple[str, Any]]:
    """(name of a value, index of the part in it) for each value that a part writes."""
    match = PART.fullmatch(part)
    if not match:
        raise InputError(
            f"{quoted(part)} is not a part: parts are called h.0, h.0.attn, h.0.mlp, h.0.attn.3 (head) and h.0.mlp.3"
        )
    block, branch, number = int(match[1]), match[2], match[3]
    if block >= len(model.h):
        raise InputError(f"{part}: the model has blocks 0 to {len(model.h) - 1}")
    whole = (slice(None),)
    if branch is None:
        return [(f"h.{block}.attn", whole), (f"h.{block}.mlp", whole)]
    if number is None:
        return [(f"h.{block}.{branch}", whole)]
    n = model.h[block].attn.n_head if branch == "attn" else model.h[block].mlp.c_fc.bias.size
    if int(number) >= n:
        raise InputError(f"{part}: block {block} has {'heads' if branch == 'attn' else 'neurons'} 0 to {n - 1}")
    if branch == "attn":
        return [(f"h.{block}.attn.o", (slice(None), int(number)))]
    return [(f"h.{block}.mlp.act", (..., int(number)))]
