"""AdamW (Loshchilov and Hutter 2019, algorithm 2, after Kingma and Ba 2015, algorithm 1).

Step against the running mean of the gradient, divided by its running root mean square. For every parameter w with
gradient g, at step t = 1, 2, ...:

    m = beta1 m + (1 - beta1) g              v = beta2 v + (1 - beta2) g^2
    mhat = m / (1 - beta1^t)                 vhat = v / (1 - beta2^t)
    w = w - lr ( mhat / (sqrt(vhat) + eps) + weight_decay w )

m and v start at 0; the two divisions undo the resulting pull towards 0 (bias correction). Weight decay is decoupled: it
shrinks w itself and enters neither m nor v. Only matrices decay, embeddings included, not biases or LayerNorm's
weights: those are few, and have no reason to be near 0.
"""

import math

import numpy as np

from numgpt.backend import check_memory, device_of
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.kernels import definition
from numgpt.layers import Layer
from numgpt.numbers import check_number
from numgpt.training.parallel.buckets import length, parts_of, pieces
from numgpt.training.parallel.team import ALONE, Alone


@definition
def adamw_update(w, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Step t, in place: w, m, v and the gradient g are flat arrays of one length."""
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    mhat = m / (1 - beta1**t)
    vhat = v / (1 - beta2**t)
    w -= lr * (mhat / (np.sqrt(vhat) + eps) + weight_decay * w)


@definition
def squared_norm(x):
    """sum(x^2) of a flat array."""
    return (x * x).sum()


class AdamW:
    """AdamW for `model`. lr may be changed before any step; m and v are flat, in the order of model.values.

    parts: the slices of these values to update; by default all. A process that shares the work with others has its own.
    m and v hold these parts alone, one after another.

    Raises InputError if `model` is not a model, lr or weight_decay is below 0, betas are not two numbers in [0, 1), eps
    is not above 0, or weights, gradients, m and v do not fit in memory.
    """

    def __init__(
        self,
        model: Layer,
        lr: float = 3e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        parts: tuple[slice, ...] = (),
    ) -> None:
        if not isinstance(model, Layer) or not hasattr(model, "values"):
            raise InputError(f"AdamW needs a model, such as a GPT, not {quoted(model)}")
        check_memory(4 * model.values.nbytes, "training it", device_of(model.values))
        self.model, self.lr, self.betas, self.eps, self.weight_decay = model, lr, betas, eps, weight_decay
        self._check()
        self.parts = parts or parts_of(model.values.size, ALONE.rank, ALONE.size)
        n = sum(map(length, self.parts))
        self.m = np.zeros_like(model.values, shape=n)
        self.v = np.zeros_like(model.values, shape=n)
        self.steps = 0

    def step(self) -> None:
        """Update the parameters from their gradients, which are not changed."""
        self._check()
        self.steps += 1
        model, (beta1, beta2) = self.model, self.betas
        for (part, m), (_, v) in zip(pieces(self.m, self.parts), pieces(self.v, self.parts), strict=True):
            n_matrix_elements = max(0, model.n_matrix_elements - part.start)
            matrices, vectors = slice(0, n_matrix_elements), slice(n_matrix_elements, None)
            for here, weight_decay in (matrices, self.weight_decay), (vectors, 0.0):
                w, g, own_m, own_v = (flat[here] for flat in (model.values[part], model.grads[part], m, v))
                adamw_update(w, g, own_m, own_v, self.steps, self.lr, beta1, beta2, self.eps, weight_decay)

    def _check(self) -> None:
        """Raise InputError unless all settings are numbers in their range."""
        self.lr = check_number(self.lr, "lr", low=0)
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise InputError(f"betas must be two numbers, not {quoted(self.betas)}")
        self.betas = tuple(check_number(beta, f"betas[{i}]", low=0, below=1) for i, beta in enumerate(self.betas))
        self.eps = check_number(self.eps, "eps", above=0)
        self.weight_decay = check_number(self.weight_decay, "weight_decay", low=0)


def clip_gradients(model: Layer, max_norm: float, team: Alone = ALONE) -> float:
    """Scale all gradients by max_norm / norm if their Euclidean norm is above max_norm; return the norm before.

    The norm is over all parameters together, which keeps the gradient's direction (Pascanu et al. 2013, section 3.2). A
    norm that is not finite is returned, and nothing is scaled. Each process of a team scales its own part.
    """
    own = [model.grads[part] for part in parts_of(model.grads.size, team.rank, team.size)]
    norm = math.sqrt(team.sum(sum(squared_norm(part) for part in own)))
    if norm > max_norm and math.isfinite(norm):
        for part in own:
            part *= max_norm / norm
    return norm
