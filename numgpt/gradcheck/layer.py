"""The proof for a layer of your own: any object with forward(x) and backward(dy)."""

import inspect
import math
from functools import partial
from typing import Any

import numpy as np

from numgpt.errors import InputError
from numgpt.gradcheck.hints import Wrong, guess
from numgpt.gradcheck.parameters import attributes_of, held, join, parts_of, without_gradient
from numgpt.gradcheck.rows import Row, compare
from numgpt.gradcheck.trial import SMALL, Pass, Trial, different
from numgpt.layers import Layer

MOST_ELEMENTS = 50_000  # each costs a forward pass or more
GRADIENT_IN_FLOAT32 = 1e-5  # the error allowed where backward alone computes in float32


class Rows(list[Row]):
    """What `check_layer` found; printed as a table. unchecked: arrays that have no gradient, and so no row."""

    unchecked: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether every row is ok."""
        return all(row.ok for row in self)

    def __repr__(self) -> str:
        table = [("tensor", "shape", "error", "at most", "by"), *map(cells, self)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) for row in table]
        lines = [f"{line}  {verdict}".rstrip() for line, verdict in zip(lines, ["", *map(verdict, self)], strict=True)]
        wrong = sum(not row.ok for row in self)
        lines.append(f"{len(self)} rows, {f'{wrong} wrong' if wrong else 'all right'}")
        return "\n".join([*lines, self.note()]).rstrip()

    def note(self) -> str:
        """What was not checked, if anything."""
        named = ", ".join(self.unchecked)
        return f"not checked, as there is no gradient called d...: {named}" if named else ""


def cells(row):
    """A row's columns but the last."""
    shape = " x ".join(map(str, row.shape)) or "number"
    return row.tensor, shape, f"{row.error:.1e}", f"{row.tolerance:.0e}", row.method


def verdict(row):
    """A row's last column."""
    return "ok" if row.ok else f"WRONG: {row.hint}"


def check_layer(layer: Any, *inputs: Any, seed: int = 0) -> Rows:
    """Compare what `layer.backward` returns with derivatives of `layer.forward(*inputs)`; print the rows to see them.

        x = np.random.default_rng(0).standard_normal((2, 3, 8))
        print(numgpt.check_layer(MyLayer(8), x))

    layer: any object with forward(*inputs), which returns an array, and backward(dy), which returns the gradient of the
    input, or a tuple of the gradients of all inputs (None for integers, which have none). A loss, whose forward returns
    a number, has backward(). Parameters are all pairs of float arrays X and dX among the attributes of the object and
    of everything that it holds, and the (name, value, gradient) of `named_parameters()`. The check works in float64,
    with parameters shifted at random, as initial values like 0 and 1 would hide mistakes. The layer is restored
    afterwards.

    Returns a row of kind "layer" for every input and parameter; a wrong one's `hint` says how it is wrong. There are
    further rows, all wrong, if forward or backward writes to its arguments, changes a parameter, or gives other results
    when called again. A row's `method` says how the derivatives were computed: by the complex step if forward accepts
    complex numbers, otherwise by differences, with larger steps if forward computes in float32.

    Raises InputError for a layer or inputs that cannot be checked. Exceptions of forward and backward are passed on.
    """
    check_methods(layer)
    check_inputs(layer, inputs)
    with held(layer) as reset:
        for _, part in parts_of(layer):
            if isinstance(part, Layer) and not all(hasattr(owner, name) for _, owner, name in part.slots()):
                part.allocate("float64")
        rows = Rows(rows_of(Trial(layer, inputs, reset, np.random.default_rng(seed))))
    rows.unchecked = without_gradient(layer)
    return rows


def check_methods(layer):
    """Raise InputError unless `layer` has forward and backward."""
    if isinstance(layer, type):
        raise InputError(f"{layer.__name__} is a class: check an instance of it, {layer.__name__}(...)")
    for name in ("forward", "backward"):
        if not callable(getattr(layer, name, None)):
            raise InputError(f"{kind_of(layer)} has no method {name}: a layer needs forward(x) and backward(dy)")
    if isinstance(layer, Layer) and "_shapes" not in vars(layer):
        raise InputError(f"{kind_of(layer)}.__init__ must begin with super().__init__()")


def check_inputs(layer, inputs):
    """Raise InputError unless forward can be called with them, and they can be varied."""
    try:
        inspect.signature(layer.forward).bind(*inputs)
    except TypeError as error:
        given = f"{len(inputs)} input{'s' * (len(inputs) != 1)}"
        raise InputError(f"{kind_of(layer)}.forward cannot be called with {given}: {error}") from None
    for i, x in enumerate(inputs):
        try:
            array = np.asarray(x)
        except ValueError as error:
            raise InputError(f"input {i} must be an array of one shape: {error}") from None
        if isinstance(x, np.ndarray | list) and (not array.size or array.dtype.kind not in "fiub"):
            raise InputError(f"input {i} must be an array of real numbers or integers, and not be empty")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(f"input {i} holds values that are not finite numbers")


def check_output(y, layer):
    """Raise InputError unless forward's result is one array, or number, that can be checked."""
    if y.dtype.kind != "f" or not y.size:
        raise InputError(
            f"{kind_of(layer)}.forward must return one array of floats, or a number, not {y.dtype} {y.shape}"
        )
    if not np.isfinite(y).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
        raise InputError(f"{kind_of(layer)}.forward returns {y[place]} at {list(place)}: there is no gradient there")


def check_varied(varied, layer):
    """Raise InputError if there is nothing to vary, or too much."""
    size = sum(array.size for array in varied.values())
    if not 0 < size <= MOST_ELEMENTS:
        raise InputError(
            f"the float inputs and the parameters of {kind_of(layer)} hold {size:,} numbers, each of which is varied: "
            f"there must be 1 to {MOST_ELEMENTS:,} (a small layer has the formulas of a large one)"
        )


def kind_of(layer):
    """The name of the layer's class."""
    return type(layer).__name__


def rows_of(trial):
    """All rows."""
    check_output(trial.forward(), trial.layer)
    trial.find_parameters()
    check_varied(trial.varied(), trial.layer)
    y = trial.forward()
    check_output(y, trial.layer)
    if not np.array_equal(y, trial.forward()):
        yield fault(
            "forward gives another result when called again: let it draw from a np.random.Generator that is an "
            "attribute, which the check can reset, or switch randomness off for the check",
            y.shape,
        )
        return
    dy = trial.rng.standard_normal(y.shape) if trial.takes_dy else np.ones(y.shape)
    way = trial.choose()
    expected = {name: trial.derivative(way, name, y, dy) for name in trial.varied()}
    first, second = trial.there_and_back(dy), trial.there_and_back(dy)
    again = different(trial.backward_again(dy), second.gradients)
    rows = list(compared(trial, first, second, expected, way, y, dy))
    yield from rows
    faults = first.faults
    if again & {row.tensor for row in rows if row.ok}:
        faults.append("backward, called twice after one forward, gives other gradients: it changes what forward kept")
    if not any(gradient.any() for gradient in expected.values()):
        faults.append("forward's result depends on none of its inputs and parameters")
    yield from (fault(text, y.shape) for text in faults)


def fault(text, shape):
    """The row of a fault other than a wrong gradient."""
    return Row("calls", shape, math.inf, "layer", "calling it", 0.0, False, text)


def compared(trial, first: Pass, second: Pass, expected, way, y, dy):
    """A row for every gradient."""
    floor = SMALL * max(float(np.linalg.norm(gradient)) for gradient in expected.values())
    unsteady = different(second.gradients, first.gradients)
    inputs = dict(zip(trial.names, trial.inputs, strict=True))
    for name, gradient in expected.items():
        found, method, tolerance = first.gradients[name], way.method, way.tolerance
        if tolerance < GRADIENT_IN_FLOAT32 and getattr(found, "dtype", None) == np.float32:
            method, tolerance = f"{method}, float32", GRADIENT_IN_FLOAT32
        if found is None:
            row = Row(name, gradient.shape, math.inf, "layer", method, tolerance, False)
        else:
            row = compare(name, found, gradient, "layer", method, tolerance, floor)
        if row.ok and name in unsteady:
            row = row._replace(ok=False, hint="it is right after the first forward, and wrong after the second")
        elif not row.ok:
            part = partial(part_of, trial, way, name, y, dy)
            sizes, overwritten = sizes_of(trial.layer, trial.inputs), first.overwritten.get(name)
            repeated = ids_that_occur_again(trial.inputs)
            wrong = Wrong(found, gradient, overwritten, dy, inputs.get(name), sizes, part, tolerance, repeated)
            row = row._replace(hint=guess(wrong))
        yield row


def part_of(trial, way, name, y, dy, axis, index):
    """The gradient from one slice of dy alone."""
    only = np.zeros_like(dy)
    here = (slice(None),) * axis + (index,)
    only[here] = dy[here]
    return trial.derivative(way, name, y, only)


def ids_that_occur_again(inputs):
    """The ids that occur more than once among the integer inputs."""
    ids = [np.ravel(x) for x in inputs if np.asarray(x).dtype.kind in "iu"]
    found, counts = np.unique(np.concatenate([np.empty(0, int), *ids]), return_counts=True)
    return frozenset(found[counts > 1].tolist())


def sizes_of(layer, inputs):
    """name -> size: the first input's axes, named as in the layers; integers that the layer holds; C over these."""
    shape = next((np.shape(x) for x in inputs if np.ndim(x)), ())
    letters = {1: "C", 2: "BC", 3: "BTC", 4: "BHTD"}.get(len(shape)) or [f"axis {i}" for i in range(len(shape))]
    sizes = dict(zip(letters, shape, strict=True))
    numbers = {
        join(path, name): value
        for path, part in parts_of(layer)
        for name, value in attributes_of(part)
        if type(value) is int and value > 1
    }
    C = shape[-1] if shape else 0
    heads = {f"C/{name}": C // n for name, n in numbers.items() if C % n == 0}
    return {**sizes, **heads, **numbers}
