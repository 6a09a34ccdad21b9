"""The parameters of any object, found by name: a float array X with its gradient dX, in it or in its parts.

class RMSNorm:
    def __init__(self, C):
        self.weight, self.dweight = np.ones(C), np.zeros(C)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from numgpt.layers import Layer

CONTAINERS = (list, tuple, dict)


class Parameter(NamedTuple):
    """path: its name within the layer. places: (owner, name) wherever it is an attribute; its gradient is "d" + name.

    fixed: whether both arrays are known only through `named_parameters()`, so that their values can change but not
    their dtype.
    """

    path: str
    places: list[tuple[Any, str]]
    fixed: bool = False

    @property
    def value(self) -> Any:
        owner, name = self.places[0]
        return getattr(owner, name)

    @property
    def gradient(self) -> Any:
        owner, name = self.places[0]
        return getattr(owner, "d" + name)

    def set_value(self, array: np.ndarray) -> None:
        self._set("", array)

    def set_gradient(self, array: np.ndarray) -> None:
        self._set("d", array)

    def _set(self, prefix, array):
        for owner, name in self.places:
            if self.fixed:
                getattr(owner, prefix + name)[...] = array
            else:
                setattr(owner, prefix + name, array)


def parameters_of(layer: Any) -> list[Parameter]:
    """The parameters of `layer`, each once even if it is an attribute of several parts."""
    found: dict[Any, Parameter] = {}
    for path, thing, name, value in float_attributes(layer):
        if is_gradient(attribute(thing, "d" + name)):
            key = id(value) if isinstance(value, np.ndarray) else path
            found.setdefault(key, Parameter(path, [])).places.append((thing, name))
    if not isinstance(layer, Layer) and hasattr(layer, "named_parameters"):
        for path, value, gradient in layer.named_parameters():
            found.setdefault(id(value), Parameter(path, [(SimpleNamespace(x=value, dx=gradient), "x")], fixed=True))
    return list(found.values())


def float_attributes(layer: Any) -> Iterator[tuple[str, Any, str, Any]]:
    """(path, owner, name, value) of all attributes that are float arrays or floats."""
    for path, thing in parts_of(layer):
        for name, value in attributes_of(thing):
            if is_real(value):
                yield join(path, name), thing, name, value


def without_gradient(layer: Any) -> list[str]:
    """The paths of float arrays X that have no dX, and are not a dX themselves."""
    return [
        path
        for path, thing, name, value in float_attributes(layer)
        if isinstance(value, np.ndarray) and not is_gradient(attribute(thing, "d" + name))
        if not (name.startswith("d") and hasattr(thing, name[1:])) and name not in ("values", "grads")
    ]


def parts_of(layer: Any) -> Iterator[tuple[str, Any]]:
    """(path, object) of `layer` and of all objects, lists and dicts that can be reached from it by attributes."""
    seen = set()
    waiting = [("", layer)]
    while waiting:
        path, thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield path, thing
        inside = [(join(path, name), value) for name, value in members(thing) if is_part(value)]
        waiting += reversed(inside)


def members(thing):
    """(name, value) of what an object, list or dict holds."""
    if isinstance(thing, dict):
        return list(thing.items())
    return list(enumerate(thing)) if isinstance(thing, list | tuple) else attributes_of(thing)


def attributes_of(thing):
    """(name, value) of an object's attributes; a list or dict has none."""
    return [] if isinstance(thing, CONTAINERS) else list(getattr(thing, "__dict__", {}).items())


def attribute(thing, name):
    """The attribute of that name, or a word, which is not a gradient."""
    return getattr(thing, "__dict__", {}).get(name, "missing")


def is_part(value):
    """Whether to look for parameters in a value: an object with attributes, or a container."""
    holds = isinstance(value, (*CONTAINERS, np.random.Generator)) or hasattr(value, "__dict__")
    return holds and not isinstance(value, type | ModuleType | FunctionType | MethodType | np.ndarray)


def is_real(value):
    """Whether a value can be a parameter: a float array or a float."""
    return isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def is_gradient(value):
    """Whether a value can be a gradient: a float array, a float, or None before the first backward."""
    return value is None or is_real(value)


def join(path, name):
    """The path of `name` inside `path`."""
    return f"{path}.{name}" if path else str(name)


@contextmanager
def held(layer: Any) -> Iterator[Callable[[], None]]:
    """A context that restores `layer` and its parts afterwards, with a function that resets their random generators.

    Restored are attributes, and the contents of lists, dicts and the arrays of parameters and gradients.
    """
    parts = [thing for _, thing in parts_of(layer)]
    generators = [(part, part.bit_generator.state) for part in parts if isinstance(part, np.random.Generator)]
    holders = [part if isinstance(part, list | dict) else getattr(part, "__dict__", None) for part in parts]
    contents = [(holder, holder.copy()) for holder in holders if holder is not None]
    arrays = [a for p in parameters_of(layer) for a in (p.value, p.gradient) if isinstance(a, np.ndarray)]
    values = [array.copy() for array in arrays]

    def reset():
        for generator, state in generators:
            generator.bit_generator.state = state

    try:
        yield reset
    finally:
        reset()
        for array, value in zip(arrays, values, strict=True):
            array[...] = value
        for holder, content in contents:
            holder.clear()
            holder.update(content) if isinstance(holder, dict) else holder.extend(content)
