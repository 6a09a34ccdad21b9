"""Exercise 10: a step of AdamW.

    m = beta1 m + (1 - beta1) g              v = beta2 v + (1 - beta2) g^2
    mhat = m / (1 - beta1^t)                 vhat = v / (1 - beta2^t)
    w = w - lr ( mhat / (sqrt(vhat) + eps) + weight_decay w )

w, g, m and v are flat arrays of the same length. w, m and v are changed in place, and g is left unchanged. t is 1 at
the first step.

Hint: m and v start at 0. So with beta1 = 0.9, m is (1 - beta1) g after one step, which is only a tenth of g. mhat makes
up for this, and vhat does the same for v.

The bug that people make: they leave out the bias correction. The first steps are then wrong by a factor that depends on
both betas: https://github.com/oxiglade/mlx-rs/issues/301

    numgpt gradcheck docs/exercises/10_adamw.py
"""

import numpy as np

from numgpt.gradcheck import held_to
from numgpt.training import optimizer


def adamw_update(w, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Step t, in place."""
    raise NotImplementedError("w, m and v after a step")


def check():
    rng = np.random.default_rng(0)
    start = {"w": rng.standard_normal(6), "m": np.zeros(6), "v": np.zeros(6)}
    for t, weight_decay, eps in (1, 0.0, 1e-15), (2, 0.0, 1e-15), (3, 0.5, 0.1):
        step = {"g": rng.standard_normal(6), "t": t, "lr": 0.01, "beta1": 0.9, "beta2": 0.999}
        step |= {"eps": eps, "weight_decay": weight_decay}
        mine, right = ({name: array.copy() for name, array in start.items()} for _ in range(2))
        adamw_update(**mine, **step)
        optimizer.adamw_update(**right, **step)
        for name, before in start.items():
            yield held_to(f"change of {name} at step {t}", mine[name] - before, right[name] - before)
        start = right
