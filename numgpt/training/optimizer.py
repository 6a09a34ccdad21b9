"""AdamW (Loshchilov and Hutter 2019, algorithm 2, after Kingma and Ba 2015, algorithm 1) and gradient clipping."""

import math

import numpy as np

from numgpt.kernels import adamw_update, squared_norm


class AdamW:
    """Step against the running mean of the gradient, divided by the running root mean square of it.

    For every parameter w with gradient g, at step t = 1, 2, ...:

        m = beta1 m + (1 - beta1) g              v = beta2 v + (1 - beta2) g^2
        mhat = m / (1 - beta1^t)                 vhat = v / (1 - beta2^t)
        w = w - lr ( mhat / (sqrt(vhat) + eps) + weight_decay w )

    m and v start at 0; the two divisions undo the pull towards it (bias correction). Weight decay is decoupled:
    it shrinks w itself and enters neither m nor v. Only matrices decay (embeddings among them), not biases and
    not LayerNorm's weights: those are few, and have no reason to be near 0.

    lr may be set anew before any step. `m` and `v` are flat, in the order of `model.values`.
    """

    def __init__(self, model, lr=3e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        self.model, self.lr, self.betas, self.eps, self.weight_decay = model, lr, betas, eps, weight_decay
        self.m = np.zeros_like(model.values)
        self.v = np.zeros_like(model.values)
        self.steps = 0

    def step(self):
        """Update every parameter of the model from its gradient, which is left as it is."""
        self.steps += 1
        model, (beta1, beta2) = self.model, self.betas
        lr = self.lr / (1 - beta1**self.steps)
        root = 1 / math.sqrt(1 - beta2**self.steps)
        matrices = slice(0, model.n_matrix_elements)
        vectors = slice(model.n_matrix_elements, None)
        for here, decay in (matrices, self.lr * self.weight_decay), (vectors, 0.0):
            w, g, m, v = (flat[here] for flat in (model.values, model.grads, self.m, self.v))
            adamw_update(w, g, m, v, lr, beta1, beta2, root, self.eps, decay)


def clip_gradients(model, max_norm):
    """Scale all gradients by max_norm / norm if their Euclidean norm is above max_norm; return the norm before.

    One norm over all parameters together, so that the direction of the step stays (Pascanu et al. 2013, section 3.2).
    A norm that is not a number is returned and scales nothing.
    """
    norm = math.sqrt(squared_norm(model.grads))
    if norm > max_norm and math.isfinite(norm):
        model.grads *= max_norm / norm
    return norm
