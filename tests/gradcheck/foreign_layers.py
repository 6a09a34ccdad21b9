"""Layers as other people write them, with no part of numgpt's: they import NumPy alone."""

import numpy as np


class RMSNorm:
    """x over its root mean square, times a weight (Zhang and Sennrich 2019); keeps its input itself."""

    def __init__(self, C, eps=1e-5):
        self.weight, self.dweight = np.ones(C), np.zeros(C)
        self.eps = eps

    def forward(self, x):
        self.x = x
        return x / self.rms(x) * self.weight

    def rms(self, x):
        return np.sqrt((x * x).mean(-1, keepdims=True) + self.eps)

    def backward(self, dy):
        rms = self.rms(self.x)
        xhat = self.x / rms
        self.dweight += (dy * xhat).reshape(-1, xhat.shape[-1]).sum(0)
        g = dy * self.weight
        return (g - xhat * (g * xhat).mean(-1, keepdims=True)) / rms


class SwiGLU:
    """(swish(x W) * x V) U (Shazeer 2020)."""

    def __init__(self, C, hidden, seed=0):
        rng = np.random.default_rng(seed)
        for name, shape in {"gate": (C, hidden), "up": (C, hidden), "down": (hidden, C)}.items():
            setattr(self, name, rng.standard_normal(shape) / np.sqrt(shape[0]))
            setattr(self, "d" + name, np.zeros(shape))

    def forward(self, x):
        g, u = x @ self.gate, x @ self.up
        s = 1 / (1 + np.exp(-g))
        self.kept = x, g, u, s
        return (g * s * u) @ self.down

    def backward(self, dy):
        x, g, u, s = self.kept
        dh = dy @ self.down.T
        du, dg = dh * g * s, dh * u * s * (1 + g * (1 - s))
        self.ddown += flat(g * s * u).T @ flat(dy)
        self.dgate += flat(x).T @ flat(dg)
        self.dup += flat(x).T @ flat(du)
        return dg @ self.gate.T + du @ self.up.T


class CausalConv:
    """y[t] = sum_k x[t - k] weight[k] + bias, with zeros before the beginning; parameters in float32, in dicts."""

    def __init__(self, C, width=3, seed=0):
        rng = np.random.default_rng(seed)
        self.values = {
            "weight": rng.standard_normal((width, C, C)).astype(np.float32),
            "bias": np.zeros(C, np.float32),
        }
        self.gradients = {name: np.zeros_like(value) for name, value in self.values.items()}

    def named_parameters(self):
        return [(name, value, self.gradients[name]) for name, value in self.values.items()]

    def forward(self, x):
        weight, T = self.values["weight"], x.shape[1]
        self.x = np.pad(x, ((0, 0), (len(weight) - 1, 0), (0, 0)))
        return sum(self.at(k, T) @ weight[k] for k in range(len(weight))) + self.values["bias"]

    def at(self, k, T):
        """The input k positions earlier."""
        start = len(self.values["weight"]) - 1 - k
        return self.x[:, start : start + T]

    def backward(self, dy):
        weight, T = self.values["weight"], dy.shape[1]
        dx = np.zeros((len(dy), T, weight.shape[1]), dy.dtype)
        for k in range(len(weight)):
            self.gradients["weight"][k] += flat(self.at(k, T)).T @ flat(dy)
            dx[:, : T - k] += dy[:, k:] @ weight[k].T
        self.gradients["bias"] += flat(dy).sum(0)
        return dx


class Projection:
    """x W, which ALiBi is made of."""

    def __init__(self, n_in, n_out, rng):
        self.W, self.dW = 0.02 * rng.standard_normal((n_in, n_out)), np.zeros((n_in, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW += flat(self.x).T @ flat(dy)
        return dy @ self.W.T


class ALiBi:
    """Causal attention whose scores fall off linearly with distance (Press, Smith and Lewis 2022)."""

    def __init__(self, C, n_head, seed=0):
        rng = np.random.default_rng(seed)
        self.n_head = n_head
        self.qkv, self.out = Projection(C, 3 * C, rng), Projection(C, C, rng)
        self.slopes = 2.0 ** (-8 * np.arange(1, n_head + 1) / n_head)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv.forward(x).reshape(B, T, 3, self.n_head, -1).transpose(2, 0, 3, 1, 4)
        distance = np.arange(T)[:, None] - np.arange(T)
        bias = np.where(distance >= 0, -self.slopes[:, None, None] * distance, -np.inf)
        s = q @ k.swapaxes(-1, -2) / np.sqrt(C / self.n_head) + bias
        p = np.exp(s - s.max(-1, keepdims=True))
        p = p / p.sum(-1, keepdims=True)
        self.kept = q, k, v, p
        return self.out.forward((p @ v).swapaxes(1, 2).reshape(B, T, C))

    def backward(self, dy):
        q, k, v, p = self.kept
        B, T, C = dy.shape
        do = self.out.backward(dy).reshape(B, T, self.n_head, -1).swapaxes(1, 2)
        dp = do @ v.swapaxes(-1, -2)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / np.sqrt(C / self.n_head)
        d = np.stack([ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ do])
        return self.qkv.backward(d.transpose(1, 3, 0, 2, 4).reshape(B, T, 3 * C))


class WrongRMSNorm(RMSNorm):
    """An RMSNorm with two slips of the hand: it overwrites dweight, and forgets that x moves the root mean square."""

    def backward(self, dy):
        rms = self.rms(self.x)
        self.dweight = flat(dy * self.x / rms).sum(0)
        return dy * self.weight / rms


def flat(x):
    """(..., C) -> (N, C)."""
    return x.reshape(-1, x.shape[-1])
