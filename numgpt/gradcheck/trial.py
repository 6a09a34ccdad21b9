"""A layer on trial: called with float64 or complex inputs, its parameters varied, its side effects noticed."""

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from numgpt.gradcheck.derivatives import TINY, complex_step, differences
from numgpt.gradcheck.parameters import Parameter, float_attributes, parameters_of
from numgpt.gradcheck.rows import relative_error

SMALL = 1e-3  # a gradient this much smaller than the largest one may be nothing but rounding


class Way(NamedTuple):
    """A way to the derivatives, and the error allowed. derivative: (loss, values to vary) -> gradient."""

    method: str
    tolerance: float
    derivative: Callable[[Callable[[], Any], np.ndarray], np.ndarray]


COMPLEX = Way("complex step", 1e-10, complex_step)
DIFFERENCES = Way("differences", 1e-7, lambda loss, values: differences(loss, values, 1e-5))
IN_FLOAT32 = Way("differences in float32", 1e-3, lambda loss, values: differences(loss, values, 3e-2))


class Pass(NamedTuple):
    """One forward and backward: name -> gradient; what the parameters' gradients hold at the end; the faults found."""

    gradients: dict[str, Any]
    overwritten: dict[str, Any]
    faults: list[str]


class Trial:
    """The layer with its inputs. reset: restarts its random numbers. rng: draws what the check needs."""

    def __init__(self, layer: Any, inputs: Any, reset: Callable[[], None], rng: np.random.Generator) -> None:
        self.layer, self.reset, self.rng = layer, reset, rng
        self.inputs = [as_float64(x) for x in inputs]
        self.names = names_of_inputs(layer, self.inputs)
        self.takes_dy = bool(inspect.signature(layer.backward).parameters)
        self.parameters: list[Parameter] = []

    def find_parameters(self) -> None:
        """Find the parameters, and give each float64 values.

        Forward and backward are run once for this: an array that they replace is not a parameter, and some layers make
        dX only then.
        """
        before = {path: value for path, _, _, value in float_attributes(self.layer)}
        self.backward(np.ones_like(self.forward()))
        self.parameters = [p for p in parameters_of(self.layer) if p.fixed or before.get(p.path) is p.value]
        for p in self.parameters:
            p.set_gradient(np.zeros(np.shape(p.value)))
            p.set_value(shifted(np.asarray(p.value, float), self.rng))

    def varied(self) -> dict[str, np.ndarray]:
        """name -> array, for everything that has a gradient."""
        inputs = {name: x for name, x in zip(self.names, self.inputs, strict=True) if name}
        return inputs | {p.path: p.value for p in self.parameters}

    def forward(self) -> np.ndarray:
        """A copy of what forward returns for copies of the inputs, always with the same random numbers."""
        self.reset()
        return np.array(self.layer.forward(*map(copied, self.inputs)))

    def backward(self, dy: np.ndarray) -> Any:
        """What backward returns, copied; a loss's backward takes no dy."""
        return copied(self.layer.backward(dy) if self.takes_dy else self.layer.backward())

    def there_and_back(self, dy: np.ndarray) -> Pass:
        """Forward and backward once, with gradients that start from random values."""
        for p in self.parameters:
            p.set_gradient(np.array(self.rng.standard_normal(p.value.shape)))
        before = {p.path: np.array(p.gradient) for p in self.parameters}
        values = {p.path: p.value.copy() for p in self.parameters}
        given, own_dy = [copied(x) for x in self.inputs], dy.copy()
        self.reset()
        self.layer.forward(*given)
        faults = [f"forward writes into {name}: compute on a copy" for name in self.written(given)]
        given = given if not faults else self.inputs
        returned = self.backward(own_dy)
        faults += [f"backward writes into {name}: compute on a copy" for name in self.written(given)]
        if not np.array_equal(own_dy, dy):
            faults.append("backward writes into dy: compute on a copy")
        for p in self.parameters:
            if not np.array_equal(p.value, values[p.path]):
                faults.append(f"forward or backward changes the parameter {p.path}: only an optimizer should")
                p.set_value(values[p.path])
        return Pass(self.by_name(returned, before), {p.path: copied(p.gradient) for p in self.parameters}, faults)

    def written(self, given):
        """The names of the inputs that have been changed."""
        pairs = enumerate(zip(self.inputs, given, strict=True))
        return [self.names[i] or f"input {i}" for i, (x, now) in pairs if not same(x, now)]

    def by_name(self, returned, before):
        """name -> gradient: those of inputs were returned, those of parameters added to what was there before."""
        floats = [name for name in self.names if name]
        returned = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(returned) == len(self.names):
            found = dict(zip(self.names, returned, strict=True))
            found.pop("", None)
        else:
            found = dict.fromkeys(floats) | dict(zip(floats, returned, strict=False))
        return found | {p.path: added(before[p.path], p.gradient) for p in self.parameters}

    def backward_again(self, dy: np.ndarray) -> dict[str, Any] | None:
        """name -> gradient of another backward without a forward; None if the layer refuses, which is right."""
        before = {p.path: np.array(p.gradient) for p in self.parameters}
        try:
            return self.by_name(self.backward(dy.copy()), before)
        except Exception:  # of any kind: a layer may refuse in its own way
            return None

    def choose(self) -> Way:
        """The complex step if forward accepts it and it agrees with a difference along a random direction."""
        y, values = self.forward(), self.varied()
        start = {name: array.copy() for name, array in values.items()}
        directions = {name: self.rng.standard_normal(array.shape) * size_of(array) for name, array in start.items()}

        def moved(h):
            for name, array in values.items():
                array[...] = start[name] + h * directions[name]
            return self.forward()

        near, far, back = moved(1e-7), moved(2e-7), moved(-1e-7)
        moved(0)
        if relative_error(2 * (near - y), far - y) > 1e-2:  # not a straight line: rounded to float32
            return IN_FLOAT32
        try:
            with self.in_complex():
                for name, array in self.varied().items():
                    array += 1j * TINY * directions[name]
                slope = self.forward().imag / TINY
        except Exception:  # of any kind: the layer is not made for complex numbers
            return DIFFERENCES
        return COMPLEX if relative_error(slope, (near - back) / 2e-7) < 1e-5 else DIFFERENCES

    @contextmanager
    def in_complex(self) -> Iterator[None]:
        """A context in which inputs and parameters are complex, and losing an imaginary part is an error."""
        inputs, values = self.inputs, [p.value for p in self.parameters]
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            try:
                self.inputs = [x.astype(complex) if name else x for name, x in zip(self.names, inputs, strict=True)]
                for p, value in zip(self.parameters, values, strict=True):
                    p.set_value(value.astype(complex))
                yield
            finally:
                self.inputs = inputs
                for p, value in zip(self.parameters, values, strict=True):
                    p.set_value(value)

    def derivative(self, way: Way, name: str, y: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """The gradient of sum((forward - y) * dy) at the array called `name`."""

        def loss():
            return ((self.forward() - y) * dy).sum()

        if way is not COMPLEX:
            return way.derivative(loss, self.varied()[name])
        with self.in_complex():
            return way.derivative(loss, self.varied()[name])


def names_of_inputs(layer, inputs):
    """A name for each input that has a gradient, "" for the others: "input", or "input q" if there are several."""
    floats = [isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in inputs]
    arguments = inspect.signature(layer.forward).bind(*inputs).arguments
    names = list(arguments) if len(arguments) == len(inputs) else list(range(len(inputs)))
    several = sum(floats) > 1
    return [(f"input {name}" if several else "input") if has else "" for name, has in zip(names, floats, strict=True)]


def as_float64(x):
    """An input for the check: float arrays in float64; anything but an array as it is."""
    if not isinstance(x, np.ndarray | list):
        return x
    array = np.array(x)
    return array.astype(float) if array.dtype.kind == "f" else array


def shifted(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`value` shifted at random by up to half its size: initial values like 0 and 1 would hide mistakes."""
    size = math.sqrt(float(np.square(value).mean()))
    if value.ndim > 1:
        size = max(size, 1 / math.sqrt(value.shape[0]))
    return np.array(value + (size or 1.0) * rng.uniform(-0.5, 0.5, value.shape))


def size_of(array):
    """The root mean square, or 1 for zeros."""
    return math.sqrt(float(np.square(array).mean())) or 1.0


def copied(x):
    """A copy of an array, or of those in a tuple; anything else as it is."""
    if isinstance(x, tuple | list):
        return [copied(each) for each in x]
    return x.copy() if isinstance(x, np.ndarray) else x


def same(a, b):
    """Whether an input is what it was."""
    return not isinstance(a, np.ndarray) or np.array_equal(a, b)


def added(before, after):
    """after - before, in the dtype of `after`; or `after` itself if its shape has changed."""
    if np.shape(after) != before.shape:
        return after
    return (after - before).astype(np.asarray(after).dtype)


def different(found: dict[str, Any] | None, expected: dict[str, Any]) -> set[str]:
    """The names of gradients that differ by far more than rounding."""
    if found is None:
        return set()
    sizes = [float(np.linalg.norm(gradient)) for gradient in expected.values() if gradient is not None]
    floor = SMALL * max(sizes, default=0.0)
    return {
        name
        for name, gradient in expected.items()
        if (found[name] is None) != (gradient is None)
        or np.shape(found[name]) != np.shape(gradient)
        or (gradient is not None and relative_error(found[name], gradient, floor) > 1e-4)
    }
