"""What all layers have besides their mathematics: parameters, the memory of a forward pass, a tree of layers inside."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from numgpt.backend import array_module, check_device, check_memory, to_device
from numgpt.kernels import kernels_in_use
from numgpt.numbers import check_seed

Array: TypeAlias = Any  # NumPy's or CuPy's; both take the same operators, methods and functions
Self = TypeVar("Self", bound="Layer")

_keeping: ContextVar[bool] = ContextVar("keeping", default=True)


@contextmanager
def inferring() -> Iterator[None]:
    """Inside this context, no layer keeps anything for a backward pass."""
    token = _keeping.set(False)
    try:
        yield
    finally:
        _keeping.reset(token)


class Layer:
    """Parameters, the memory between forward and backward, and the tree of layers inside.

        class Scale(Layer):
            weight: Array  # (C,)
            dweight: Array

            def __init__(self, C, seed=0):
                super().__init__()
                self.parameter("weight", C)
                self.start(seed)

            def initialise(self, rng):
                self.weight[...] = 1

            def forward(self, x):  # y = x weight
                self.keep(x)
                return x * self.weight

            def backward(self, dy):  # dweight = sum(dy x), dx = dy weight
                x = self.take()
                self.dweight += (dy * x).reshape(-1, x.shape[-1]).sum(0)
                return dy * self.weight

    `forward` and `backward` never write to their arguments. Every `backward` adds to the gradients and returns the
    gradient at the input of `forward`. `numgpt.check_layer(Scale(3), x)` proves it.

    A layer on its own draws its initial weights from `seed`. A layer that becomes part of another is made with
    seed=None: its parameters have no memory until the outermost layer's `start` allocates them all.
    """

    forward: Callable[..., Any]  # from the layer's input to its output
    backward: Callable[..., Any]  # from the gradient at its output to that at its input
    training: bool  # whether dropout is on
    values: Array  # all parameters of the outermost layer, flat; matrices first
    grads: Array  # all their gradients, in the same order
    n_matrix_elements: int  # how many of `values` belong to matrices, the ones that weight decay applies to

    def __init__(self) -> None:
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._kept: tuple[str, Any] | None = None
        self.training = False

    def parameter(self, name: str, *shape: int) -> None:
        """Declare a parameter `name`, whose gradient is called "d" + name."""
        self._shapes[name] = shape

    def start(self, seed: int | None) -> None:
        """Allocate and initialise the parameters of this layer and all inside it, unless seed is None."""
        if check_seed(seed) is not None:
            self.allocate()
            self.initialise_all(np.random.default_rng(seed))

    def initialise(self, rng: np.random.Generator) -> None:
        """Draw the initial values of the layer's own parameters; a layer without parameters has nothing to draw."""

    def initialise_all(self, rng: np.random.Generator) -> None:
        """`initialise` this layer and all inside it."""
        for _, layer in self.named_layers():
            layer.initialise(rng)

    def keep(self, kept: Any) -> None:
        """Remember what backward needs, in place of what an earlier forward left; do nothing inside `inferring`."""
        if self.keeping:
            self._kept = kernels_in_use(), kept

    @property
    def keeping(self) -> bool:
        """Whether `keep` remembers anything: False inside `inferring`."""
        return _keeping.get()

    @property
    def kept(self) -> Any:
        """What the last forward kept for backward, for inspection; None if there is nothing."""
        return self._kept and self._kept[1]

    def take(self) -> Any:
        """Return what `keep` remembered, once. Raises RuntimeError if there is nothing, or if other kernels kept it."""
        if self._kept is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward() has no forward pass to go back from: "
                "call forward() first (on a whole model: loss()), once for every backward()"
            )
        (kind, kept), self._kept = self._kept, None
        if kind != kernels_in_use():
            raise RuntimeError(
                f"{type(self).__name__}.forward() ran with {kind} kernels and backward() with {kernels_in_use()} ones: "
                "call use_kernels() before forward(), not between the two"
            )
        return kept

    def children(self) -> Iterator[tuple[str, "Layer"]]:
        """(name, layer) of the layers directly inside this one, in the order in which they were set."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{i}", layer) for i, layer in enumerate(value) if isinstance(layer, Layer))

    def named_layers(self, name: str = "") -> Iterator[tuple[str, "Layer"]]:
        """(path, layer) of this layer and all inside it, from the outside in: "", "h.0", "h.0.attn", ...

        A layer reached by two paths, such as the table that embedding and output head share, is named by the first.
        """
        return self._walk(name, set())

    def _walk(self, name: str, seen: set[int]) -> Iterator[tuple[str, "Layer"]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield name, self
        for child, layer in self.children():
            yield from layer._walk(f"{name}.{child}" if name else child, seen)

    def named_parameters(self) -> Iterator[tuple[str, Array, Array]]:
        """(path, value, gradient) of every parameter; the arrays are live: writing to them changes the layer."""
        for path, layer, name in self.slots():
            yield path, getattr(layer, name), getattr(layer, "d" + name)

    def slots(self) -> Iterator[tuple[str, "Layer", str]]:
        """(path, layer that owns it, its name in that layer) of every parameter."""
        for path, layer in self.named_layers():
            for name in layer._shapes:
                yield (f"{path}.{name}" if path else name), layer, name

    def allocate(self: Self, dtype: Any = "float32", device: str = "cpu") -> Self:
        """Give all parameters one flat buffer (`values`) and all gradients another (`grads`); return self.

        Parameters that had values keep them; others, and all gradients, are zero, and take no memory on the CPU until
        they are written to. Call it again after replacing a layer inside. device: "cpu" or "cuda". Raises InputError if
        the device cannot be used or its memory is too small.
        """
        check_device(device)
        slots = [(layer, name) for _, layer, name in self.slots()]
        before = [getattr(layer, name, None) for layer, name in slots]
        sizes = [math.prod(layer._shapes[name]) for layer, name in slots]
        check_memory(sum(sizes) * np.dtype(dtype).itemsize, f"this {type(self).__name__}", device)
        self.n_matrix_elements = sum(size for size, slot in zip(sizes, slots, strict=True) if is_matrix(*slot))
        self.values = to_device(np.zeros(sum(sizes), dtype), device)
        self.grads = to_device(np.zeros(sum(sizes), dtype), device)
        self.bind()
        for value, (layer, name) in zip(before, slots, strict=True):
            if value is not None:
                getattr(layer, name)[...] = to_device(value, device)
        return self

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype of the parameters, of the gradients and of a model's computations."""
        return self.values.dtype

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        self.grads.fill(0)

    def bind(self) -> None:
        """Make every parameter and gradient a view of the present `values` and `grads`."""
        start = 0
        for _, layer, name in sorted(self.slots(), key=lambda slot: not is_matrix(*slot[1:])):
            shape = layer._shapes[name]
            here = slice(start, start + math.prod(shape))
            setattr(layer, name, self.values[here].reshape(shape))
            setattr(layer, "d" + name, self.grads[here].reshape(shape))
            start = here.stop

    if not TYPE_CHECKING:  # a type checker would take it for a declaration of every name

        def __getattr__(self, name):
            """Called for a missing attribute: a parameter has no memory before the outermost layer's `start`."""
            if vars(self).get("_shapes", {}).keys() & {name, name.removeprefix("d")}:
                raise AttributeError(
                    f"this {type(self).__name__} has no {name} yet, as it was made with seed=None, to be part of "
                    "another layer: give it a seed, or call allocate()"
                )
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy made by `copy.deepcopy` or `pickle` is complete: its parameters are views of its own buffers."""
        vars(self).update(state)
        if "values" in state:
            self.bind()

    def train(self: Self) -> Self:
        """Switch dropout on; return self."""
        return self._set_training(True)

    def eval(self: Self) -> Self:
        """Switch dropout off; return self."""
        return self._set_training(False)

    def _set_training(self: Self, training: bool) -> Self:
        for _, layer in self.named_layers():
            layer.training = training
        return self

    def __repr__(self) -> str:
        """A tree of names, shapes and counts."""
        return "\n".join(self._tree("", set()))

    def _tree(self, name: str, seen: set[int]) -> Iterator[str]:
        own = [f"{p} {' x '.join(map(str, shape))}" for p, shape in self._shapes.items()]
        n = sum(math.prod(layer._shapes[p]) for _, layer, p in self.slots())
        head = f"{name}: {type(self).__name__}" if name else type(self).__name__
        yield head + (f" ({', '.join(own)})" if own else f", {n:,} parameters" if n else "")
        seen.add(id(self))
        for child, layer in self.children():
            if id(layer) not in seen:
                yield from ("  " + line for line in layer._tree(child, seen))


def is_matrix(layer: Layer, name: str) -> bool:
    """Whether the layer's parameter `name` is a matrix, not a vector."""
    return len(layer._shapes[name]) >= 2


def draw_normal(rng: np.random.Generator, out: Array, std: float) -> None:
    """Fill `out` with draws from N(0, std^2), made in float32 on the host, the same for every dtype and device."""
    values = rng.standard_normal(out.size, dtype=np.float32).reshape(out.shape)
    values *= std
    out[...] = array_module(out).asarray(values)
