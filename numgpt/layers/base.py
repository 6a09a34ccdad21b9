"""What every layer can do besides its own mathematics: own parameters, remember a forward pass, be walked through."""

import math

import numpy as np

from numgpt.backend import array_module, check_device, float_type, to_device


class Layer:
    """Parameters, the memory between forward and backward, and the tree of layers inside.

    A layer names its parameters with `parameter` and, once `allocate` has been called on it or on a layer
    around it, has each as an attribute (`weight`) with its gradient beside it (`dweight`, same shape). Every
    `backward` adds to the gradients and returns the gradient at the input of `forward`.
    """

    def __init__(self):
        self._shapes = {}
        self._kept = None
        self._keeping = True
        self.training = False

    def parameter(self, name, *shape):
        """Declare a parameter; `allocate` gives it memory."""
        self._shapes[name] = shape

    def keep(self, *arrays):
        """Remember what backward needs, replacing what an earlier forward left; nothing while only inferring."""
        if self._keeping:
            self._kept = arrays

    def take(self):
        """Hand back what `keep` remembered, once. Raises RuntimeError when there is nothing."""
        if self._kept is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward() has no forward pass to go back from: "
                "call forward() first (on a whole model: loss()), once for every backward()"
            )
        kept, self._kept = self._kept, None
        return kept

    def children(self):
        """(name, layer) of the layers that this one is made of, in the order in which they were set."""
        for name, value in vars(self).items():
            if name.startswith("_"):
                continue
            if isinstance(value, Layer):
                yield name, value
            elif isinstance(value, list):
                yield from ((f"{name}.{i}", layer) for i, layer in enumerate(value) if isinstance(layer, Layer))

    def named_layers(self, name=""):
        """(path, layer) of this layer and of all inside it, from the outside in: "", "h.0", "h.0.attn", ..."""
        yield name, self
        for child, layer in self.children():
            yield from layer.named_layers(f"{name}.{child}" if name else child)

    def named_parameters(self):
        """(path, value, gradient) of every parameter; the arrays are live, what is written into them counts."""
        for path, layer in self.named_layers():
            for name in layer._shapes:
                yield (
                    f"{path}.{name}" if path else name,
                    getattr(layer, name),
                    getattr(layer, "d" + name),
                )

    def allocate(self, dtype="float32", device="cpu"):
        """Give all parameters one flat buffer (`values`) and all gradients another (`grads`), both zero; return self.

        Matrices come first in the buffers, vectors after them, so that what weight decay is for is one
        slice: `values[:n_matrix_elements]`. Until something is written to them the buffers cost no memory on the CPU.
        device: "cpu" or "cuda". Raises InputError where it cannot be used.
        """
        check_device(device)
        slots = [(layer, name, shape) for _, layer in self.named_layers() for name, shape in layer._shapes.items()]
        slots.sort(key=lambda slot: len(slot[2]) < 2)
        size = sum(math.prod(shape) for _, _, shape in slots)
        self.n_matrix_elements = sum(math.prod(shape) for _, _, shape in slots if len(shape) >= 2)
        self.values = to_device(np.zeros(size, float_type(dtype)), device)
        self.grads = to_device(np.zeros(size, float_type(dtype)), device)
        start = 0
        for layer, name, shape in slots:
            here = slice(start, start + math.prod(shape))
            setattr(layer, name, self.values[here].reshape(shape))
            setattr(layer, "d" + name, self.grads[here].reshape(shape))
            start = here.stop
        return self

    def initialise(self, rng):
        """Draw the starting values of the layer's own parameters; a layer without parameters has nothing to draw."""

    def keep_activations(self, keeping):
        """Whether `keep` remembers, here and in all layers inside."""
        if self._keeping != keeping:
            for _, layer in self.named_layers():
                layer._keeping = keeping

    def train(self):
        """Switch dropout on; return self."""
        return self._set_training(True)

    def eval(self):
        """Switch dropout off; return self."""
        return self._set_training(False)

    def _set_training(self, training):
        for _, layer in self.named_layers():
            layer.training = training
        return self


def draw_normal(rng, out, std):
    """Fill `out` with draws from N(0, std^2), made in float32 on the host: every dtype and device starts alike."""
    values = rng.standard_normal(out.size, dtype=np.float32).reshape(out.shape)
    values *= std
    out[...] = array_module(out).asarray(values)
