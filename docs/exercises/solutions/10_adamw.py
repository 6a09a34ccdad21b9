import numpy as np


def adamw_update(w, g, m, v, t, lr, beta1, beta2, eps, weight_decay):
    m[...] = beta1 * m + (1 - beta1) * g
    v[...] = beta2 * v + (1 - beta2) * g * g
    mhat, vhat = m / (1 - beta1**t), v / (1 - beta2**t)
    w -= lr * (mhat / (np.sqrt(vhat) + eps) + weight_decay * w)
