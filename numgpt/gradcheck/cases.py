"""The case on which each definition is proven: arguments of order one, and calls of its forward and backward.

B, T, H, D and V all differ, so that a transposed or swapped axis cannot go unnoticed.
"""

from collections.abc import Callable

import numpy as np

from numgpt.gradcheck.case import Case, Sizes, normal, some_targets
from numgpt.layers.attention import attention, attention_backward, heads
from numgpt.layers.cross_attention import cross_attention, cross_attention_backward
from numgpt.layers.dropout import drop
from numgpt.layers.embedding import embedding, embedding_backward, tied_head, tied_head_backward
from numgpt.layers.gelu import gelu, gelu_and_slope, gelu_backward
from numgpt.layers.gelu_erf import gelu_erf, gelu_erf_backward
from numgpt.layers.layernorm import layernorm, layernorm_backward
from numgpt.layers.linear import linear, linear_backward
from numgpt.layers.loss import cross_entropy, cross_entropy_backward, tied_cross_entropy, tied_cross_entropy_backward
from numgpt.layers.masked_mean import masked_mean, masked_mean_backward
from numgpt.layers.relu import relu, relu_backward
from numgpt.layers.smoothing import smoothed_cross_entropy, smoothed_cross_entropy_backward
from numgpt.layers.swish import swish, swish_backward


def linear_case(rng, n):
    C = n.H * n.D
    arrays = {"x": normal(rng, n.B, n.T, C), "weight": normal(rng, C, C + 2), "bias": normal(rng, C + 2)}
    return Case(
        (linear, linear_backward),
        arrays,
        lambda a: (linear(a["x"], a["weight"], a["bias"]), a["x"]),
        lambda dy, x, a, d: {"x": linear_backward(dy, x, a["weight"], d["weight"], d["bias"])},
    )


def embedding_case(rng, n):
    """Ids that occur more than once, and one that does not occur."""
    ids = rng.integers(0, n.V - 1, (n.B, n.T))
    ids[0, :2] = ids[-1, -1]

    def forward(arrays):
        beside = np.asarray(ids, like=arrays["weight"])
        return embedding(arrays["weight"], beside), beside

    def backward(dy, kept, arrays, added):
        embedding_backward(dy, kept, added["weight"])
        return {}

    return Case((embedding, embedding_backward), {"weight": normal(rng, n.V, n.H * n.D)}, forward, backward)


def tied_head_case(rng, n):
    arrays = {"x": normal(rng, n.B, n.T, n.H * n.D), "weight": normal(rng, n.V, n.H * n.D)}
    return Case(
        (tied_head, tied_head_backward),
        arrays,
        lambda a: (tied_head(a["x"], a["weight"]), a["x"]),
        lambda dy, x, a, d: {"x": tied_head_backward(dy, x, a["weight"], d["weight"])},
    )


def layernorm_case(rng, n, scale=1.0):
    C = n.H * n.D
    arrays = {"x": scale * normal(rng, n.B, n.T, C), "weight": normal(rng, C), "bias": normal(rng, C)}
    return Case(
        (layernorm, layernorm_backward),
        arrays,
        lambda a: layernorm(a["x"], a["weight"], a["bias"], 1e-5),
        lambda dy, kept, a, d: {"x": layernorm_backward(dy, kept, a["weight"], d["weight"], d["bias"])},
    )


def layernorm_near_eps_case(rng, n):
    """A variance of 1e-5 equals eps, where forgetting eps in the backward formula shows most."""
    return layernorm_case(rng, n, scale=1e-5**0.5)


def gelu_case(rng, n):
    """Both functions that compute y: the one that inference uses, and the one that training uses."""

    def forward(arrays):
        y, slope = gelu_and_slope(arrays["x"])
        return np.stack([gelu(arrays["x"]), y]), slope

    return Case(
        (gelu, gelu_and_slope, gelu_backward),
        {"x": 2 * normal(rng, n.B, n.T, 4 * n.H * n.D)},
        forward,
        lambda dy, slope, a, d: {"x": gelu_backward(dy[0], slope) + gelu_backward(dy[1], slope)},
    )


def gelu_erf_case(rng, n):
    arrays = {"x": 2 * normal(rng, n.B, n.T, 4 * n.H * n.D)}
    return Case(
        (gelu_erf, gelu_erf_backward),
        arrays,
        lambda a: (gelu_erf(a["x"]), a["x"]),
        lambda dy, x, a, d: {"x": gelu_erf_backward(dy, x)},
    )


def swish_case(rng, n):
    arrays = {"x": 2 * normal(rng, n.B, n.T, 4 * n.H * n.D)}
    return Case(
        (swish, swish_backward),
        arrays,
        lambda a: (swish(a["x"], 1.702), a["x"]),
        lambda dy, x, a, d: {"x": swish_backward(dy, x, 1.702)},
    )


def relu_case(rng, n):
    """x stays away from the corner at 0, which a difference must not cross."""
    x = normal(rng, n.B, n.T, 4 * n.H * n.D)
    arrays = {"x": x + 0.1 * np.sign(x)}
    return Case(
        (relu, relu_backward),
        arrays,
        lambda a: (relu(a["x"]), a["x"]),
        lambda dy, x, a, d: {"x": relu_backward(dy, x)},
        analytic=False,
    )


def dropout_case(rng, n):
    x = normal(rng, n.B, n.T, n.H * n.D)
    dropped = rng.random(x.shape) < 0.3

    def forward(arrays):
        beside = np.asarray(dropped, like=arrays["x"])
        return drop(arrays["x"], beside, 0.3), beside

    return Case(
        (drop,),
        {"x": x},
        forward,
        lambda dy, kept, a, d: {"x": drop(dy, kept, 0.3)},
    )


def attention_case(rng, n, p_drop=0.0):
    """q, k and v lie side by side in memory, as the layer makes them."""
    B, T, H, D, _ = n
    names = ["q", "k", "v"]
    qkv = heads(normal(rng, B, T, 3 * H * D), 3 * H)
    dropped = rng.random((B, H, T, T)) < p_drop if p_drop else None

    def forward(a):
        beside = None if dropped is None else np.asarray(dropped, like=a["q"])
        return attention(a["q"], a["k"], a["v"], D**-0.5, beside, p_drop)

    def backward(do, kept, arrays, added):
        return dict(zip(names, np.split(attention_backward(do, kept), 3, axis=1), strict=True))

    return Case(
        (attention, attention_backward),
        dict(zip(names, np.split(qkv, 3, axis=1), strict=True)),
        forward,
        backward,
    )


def attention_dropout_case(rng, n):
    return attention_case(rng, n, p_drop=0.3)


def attention_one_head_case(rng, n):
    return attention_case(rng, n._replace(H=1))


def cross_attention_case(rng, n, p_drop=0.0):
    """The memory is longer than the text; part of its first row is padding, and all of its last row."""
    B, T, H, D, _ = n
    S = T + 1
    arrays = {name: normal(rng, B, H, size, D) for name, size in (("q", T), ("k", S), ("v", S))}
    padding = np.arange(S) >= np.linspace(T - 1, 0, B).astype(int)[:, None]
    dropped = rng.random((B, H, T, S)) < p_drop if p_drop else None

    def forward(a):
        hidden, lost = (x if x is None else np.asarray(x, like=a["q"]) for x in (padding, dropped))
        return cross_attention(a["q"], a["k"], a["v"], D**-0.5, hidden, lost, p_drop)

    def backward(do, kept, arrays, added):
        dq, dkv = cross_attention_backward(do, kept)
        return {"q": dq, "k": dkv[:, :H], "v": dkv[:, H:]}

    return Case((cross_attention, cross_attention_backward), arrays, forward, backward)


def cross_attention_dropout_case(rng, n):
    return cross_attention_case(rng, n, p_drop=0.3)


def masked_mean_case(rng, n):
    """Part of the first row is padding, and all of the last row."""
    x = normal(rng, n.B, n.T, n.H * n.D)
    padding = np.arange(n.T) >= np.linspace(n.T - 1, 0, n.B).astype(int)[:, None]
    return Case(
        (masked_mean, masked_mean_backward),
        {"x": x},
        lambda a: masked_mean(a["x"], np.asarray(padding, like=a["x"])),
        lambda dy, share, a, d: {"x": masked_mean_backward(dy, share)},
    )


def cross_entropy_case(rng, n):
    """One target does not count."""
    targets = some_targets(rng, n)
    return Case(
        (cross_entropy, cross_entropy_backward),
        {"logits": 2 * normal(rng, n.B, n.T, n.V)},
        lambda a: cross_entropy(a["logits"], targets),
        lambda dy, kept, a, d: {"logits": cross_entropy_backward(kept)},
    )


def tied_cross_entropy_case(rng, n):
    targets = some_targets(rng, n)
    return Case(
        (tied_cross_entropy, tied_cross_entropy_backward),
        {"x": normal(rng, n.B, n.T, n.H * n.D), "weight": normal(rng, n.V, n.H * n.D)},
        lambda a: tied_cross_entropy(a["x"], a["weight"], targets),
        lambda dy, kept, a, d: {"x": tied_cross_entropy_backward(kept, a["weight"], d["weight"])},
    )


def smoothed_cross_entropy_case(rng, n):
    targets = some_targets(rng, n)
    return Case(
        (smoothed_cross_entropy, smoothed_cross_entropy_backward),
        {"x": normal(rng, n.B, n.T, n.H * n.D), "weight": normal(rng, n.V, n.H * n.D)},
        lambda a: smoothed_cross_entropy(a["x"], a["weight"], targets, 0.3),
        lambda dy, kept, a, d: {"x": smoothed_cross_entropy_backward(kept, a["weight"], d["weight"])},
    )


CASES: dict[str, Callable[[np.random.Generator, Sizes], Case]] = {
    "linear": linear_case,
    "embedding": embedding_case,
    "tied-head": tied_head_case,
    "layernorm": layernorm_case,
    "layernorm-near-eps": layernorm_near_eps_case,
    "gelu": gelu_case,
    "gelu-erf": gelu_erf_case,
    "swish": swish_case,
    "relu": relu_case,
    "dropout": dropout_case,
    "attention": attention_case,
    "attention-one-head": attention_one_head_case,
    "attention-dropout": attention_dropout_case,
    "cross-attention": cross_attention_case,
    "cross-attention-dropout": cross_attention_dropout_case,
    "masked-mean": masked_mean_case,
    "cross-entropy": cross_entropy_case,
    "tied-cross-entropy": tied_cross_entropy_case,
    "smoothed-cross-entropy": smoothed_cross_entropy_case,
}
