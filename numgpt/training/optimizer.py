"""AdamW (Loshchilov and Hutter 2019, algorithm 2, after Kingma and Ba 2015, algorithm 1).

Step against the running mean of the gradient, divided by the running root mean square of it. For every parameter w with
gradient g, at step t = 1, 2, ...:

    m = beta1 m + (1 - beta1) g              v = beta2 v + (1 - beta2) g^2
    mhat = m / (1 - beta1^t)                 vhat = v / (1 - beta2^t)
    w = w - lr ( mhat / (sqrt(vhat) + eps) + weight_decay w )

m and v start at 0; the two divisions undo the pull towards it (bias correction). Weight decay is decoupled: it
shrinks w itself and enters neither m nor v. Only matrices decay (embeddings among them), not biases and not
LayerNorm's weights: those are few, and have no reason to be near 0.
"""

import math

import numpy as np

from numgpt.kernels import definition
from numgpt.model import GPT


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
    """The optimizer of `model`. lr may be set anew before any step; m and v are flat, in the order of model.values."""

    def __init__(
        self,
        model: GPT,
        lr: float = 3e-4,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.model, self.lr, self.betas, self.eps, self.weight_decay = model, lr, betas, eps, weight_decay
        self.m = np.zeros_like(model.values)
        self.v = np.zeros_like(model.values)
        self.steps = 0

    def step(self) -> None:
        """Update every parameter of the model from its gradient, which is left as it is."""
        self.steps += 1
        model, (beta1, beta2) = self.model, self.betas
        matrices = slice(0, model.n_matrix_elements)
        vectors = slice(model.n_matrix_elements, None)
        for here, weight_decay in (matrices, self.weight_decay), (vectors, 0.0):
            w, g, m, v = (flat[here] for flat in (model.values, model.grads, self.m, self.v))
            adamw_update(w, g, m, v, self.steps, self.lr, beta1, beta2, self.eps, weight_decay)


def clip_gradients(model: GPT, max_norm: float) -> float:
    """Scale all gradients by max_norm / norm if their Euclidean norm is above max_norm; return the norm before.

    One norm over all parameters together, so that the direction of the step stays (Pascanu et al. 2013, section 3.2).
    A norm that is not a number is returned and scales nothing.
    """
    norm = math.sqrt(squared_norm(model.grads))
    if norm > max_norm and math.isfinite(norm):
        model.grads *= max_norm / norm
    return norm
