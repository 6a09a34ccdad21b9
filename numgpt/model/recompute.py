"""Blocks that keep only their input for backward, and go forward a second time for the rest (Chen et al. 2016).

A block keeps some 16 times as many numbers as its input has. Where memory is short, every block but the one that is
going backward can do without: a step takes a second forward pass, and its gradients are the same to the last bit, as
dropout draws the same masks again.
"""

from typing import Any

import numpy as np

from numgpt.layers import Dropout, Layer
from numgpt.layers.base import Array, inferring
from numgpt.model.block import Block


class Recomputing(Layer):
    """Put before a layer as a base: `forward` and `backward` do what they do there."""

    def forward(self, *inputs: Any) -> Array:
        self.keep((inputs, [rng.bit_generator.state for rng in self.generators()]))
        with inferring():
            return super().forward(*inputs)

    def backward(self, dy: Array) -> Any:
        inputs, then = self.take()
        generators = self.generators()
        now = [rng.bit_generator.state for rng in generators]
        set_states(generators, then)
        super().forward(*inputs)
        set_states(generators, now)
        return super().backward(dy)

    def generators(self) -> list[np.random.Generator]:
        """Those that draw dropout's masks inside."""
        return list(
            {id(layer.rng): layer.rng for _, layer in self.named_layers() if isinstance(layer, Dropout)}.values()
        )


def set_states(generators: list[np.random.Generator], states: list[Any]) -> None:
    """Continue each generator from a state that it had."""
    for rng, state in zip(generators, states, strict=True):
        rng.bit_generator.state = state


class RecomputedBlock(Recomputing, Block):
    """A Block that keeps its input only."""
