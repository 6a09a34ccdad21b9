"""A case of the proof: a definition with its backward, and arguments of given sizes."""

from collections.abc import Callable
from typing import Any, NamedTuple

Arrays = dict[str, Any]


class Sizes(NamedTuple):
    """B sequences of T positions, H heads of D channels, V tokens."""

    B: int = 2
    T: int = 5
    H: int = 3
    D: int = 4
    V: int = 7


SMALL = Sizes()
LARGE = Sizes(B=3, T=150, H=3, D=16, V=301)  # for kernels: several chunks and tiles


class Case(NamedTuple):
    """A definition with its backward.

    definitions: the functions themselves. arrays: name -> array that the output depends on. forward(arrays) -> output
    and what it keeps. backward(dy, kept, arrays, added) -> name -> gradient that is returned; gradients of the other
    arrays are added to added[name]. A loss's output is a number, and its dy is 1.
    """

    definitions: tuple[Callable[..., Any], ...]
    arrays: Arrays
    forward: Callable[[Arrays], tuple[Any, Any]]
    backward: Callable[[Any, Any, Arrays, Arrays], Arrays]
    analytic: bool = True  # whether the complex step can prove it


def normal(rng, *shape):
    return rng.standard_normal(shape)


def some_targets(rng, n):
    targets = rng.integers(0, n.V, (n.B, n.T))
    targets[0, 1] = -1
    return targets
