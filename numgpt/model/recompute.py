"""Blocks that keep only their input for backward, and run forward a second time for the rest (Chen et al. 2016).

A block keeps about 16 times as many numbers as its input has. Where memory is short, only the block whose backward pass
is running has to hold them: a training step takes a second forward pass, and its gradients are the same to the last
bit, since dropout draws the same masks again.
"""

from typing import Any

import numpy as np

from numgpt.layers import Dropout, Layer
from numgpt.layers.base import Array, inferring
from numgpt.model.block import Block


class Recomputing(Layer):
    """A base class to list before a layer: `forward` and `backward` compute what that layer's do."""

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
        """The generators that draw the dropout masks of the layers inside."""
        return list(
            {id(layer.rng): layer.rng for _, layer in self.named_layers() if isinstance(layer, Dropout)}.values()
        )


def set_states(generators: list[np.random.Generator], states: list[Any]) -> None:
    """Set each generator to a state that it had before."""
    for rng, state in zip(generators, states, strict=True):
        rng.bit_generator.state = state


class RecomputedBlock(Recomputing, Block):
    """A Block that keeps only its input."""
