"""What every definition is called with in the tests: arguments as the model passes them, and in other layouts.

A case is a function (draw, sizes) -> (run, arguments): run(**arguments) calls a definition, and its backward where it
has one, with arrays from `draw`, and returns a list of results; arguments that are added to are changed. Arguments in
ON_HOST stay NumPy arrays when the others lie on a GPU. A case's name begins with that of its definition.
"""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from numgpt.layers.attention import attention, attention_backward, heads
from numgpt.layers.cross_attention import cross_attention, cross_attention_backward
from numgpt.layers.dropout import drop
from numgpt.layers.embedding import embedding, embedding_backward, tied_head, tied_head_backward
from numgpt.layers.gelu import gelu, gelu_and_slope, gelu_backward
from numgpt.layers.gelu_erf import erf, gelu_erf, gelu_erf_backward
from numgpt.layers.layernorm import layernorm, layernorm_backward
from numgpt.layers.linear import linear, linear_backward
from numgpt.layers.loss import cross_entropy, cross_entropy_backward, tied_cross_entropy, tied_cross_entropy_backward
from numgpt.layers.masked_mean import masked_mean, masked_mean_backward
from numgpt.layers.relu import relu, relu_backward
from numgpt.layers.smoothing import smoothed_cross_entropy, smoothed_cross_entropy_backward
from numgpt.layers.swish import sigmoid, swish, swish_backward
from numgpt.training.optimizer import adamw_update, squared_norm

ON_HOST = {"targets"}
LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2) if x.ndim > 1 else x,
    "part of wider rows": lambda x: np.concatenate([x, x], -1)[..., : x.shape[-1]],
    "turned": lambda x: np.ascontiguousarray(x.T).T,
}


class Sizes(NamedTuple):
    """Of B sequences, T positions, S - T positions before them, H heads, D channels each, V tokens."""

    B: int
    T: int
    past: int
    H: int
    D: int
    V: int


# All distinct, so that a swapped axis cannot go unnoticed.
some_sizes = st.lists(st.integers(1, 10), min_size=6, max_size=6, unique=True).map(lambda sizes: Sizes(*sizes))
seeds = st.integers(0, 2**32 - 1)


class Draw:
    """Arrays for one seed: the same values, in the same layouts, whatever the dtype."""

    def __init__(self, seed, dtype="float64"):
        self.rng, self.dtype = np.random.default_rng(seed), dtype

    def numbers(self, *shape):
        """Of order one, in a layout that is drawn too."""
        return LAYOUTS[self.rng.choice(list(LAYOUTS))](self.rows(*shape))

    def rows(self, *shape):
        """Of order one, one row after the other, as parameters and their gradients always lie."""
        return self.rng.standard_normal(shape).astype(self.dtype)

    def ids(self, n, *shape):
        return self.rng.integers(0, n, shape)

    def targets(self, n, *shape):
        """Some are -1, the last is not."""
        targets = self.rng.integers(-1, n, shape)
        targets.reshape(-1)[-1] = n - 1
        return targets

    def mask(self, p, *shape):
        return self.rng.random(shape) < p


def linear_case(draw, n):
    n_in, n_out = n.D, n.V
    arrays = {
        "x": draw.numbers(n.B, n.T, n_in),
        "dy": draw.numbers(n.B, n.T, n_out),
        "weight": draw.rows(n_in, n_out),
        "bias": draw.rows(n_out),
        "dweight": draw.rows(n_in, n_out),
        "dbias": draw.rows(n_out),
    }

    def run(x, dy, weight, bias, dweight, dbias):
        return [linear(x, weight, bias), linear_backward(dy, x, weight, dweight, dbias)]

    return run, arrays


def embedding_case(draw, n):
    """Rows for (B, T) ids, as for tokens; many occur more than once."""
    arrays = {
        "ids": draw.ids(n.V, n.B, n.T),
        "dy": draw.numbers(n.B, n.T, n.D),
        "weight": draw.rows(n.V, n.D),
        "dweight": draw.rows(n.V, n.D),
    }

    def run(ids, dy, weight, dweight):
        return [embedding(weight, ids), embedding_backward(dy, ids, dweight)]

    return run, arrays


def embedding_of_positions_case(draw, n):
    run, arrays = embedding_case(draw, n)
    first_rows = {"ids": np.arange(min(n.T, n.V)), "dy": draw.numbers(min(n.T, n.V), n.D)}
    return run, arrays | first_rows


def tied_head_case(draw, n):
    arrays = {
        "x": draw.numbers(n.B, n.T, n.D),
        "dlogits": draw.numbers(n.B, n.T, n.V),
        "weight": draw.rows(n.V, n.D),
        "dweight": draw.rows(n.V, n.D),
    }

    def run(x, dlogits, weight, dweight):
        return [tied_head(x, weight), tied_head_backward(dlogits, x, weight, dweight)]

    return run, arrays


def tied_head_of_last_positions_case(draw, n):
    """As generation calls it."""
    x, weight = draw.rows(n.B, n.T, n.D)[:, -1], draw.rows(n.V, n.D)
    return lambda x, weight: [tied_head(x, weight)], {"x": x, "weight": weight}


def layernorm_case(draw, n, scale=1):
    C = n.H * n.D
    arrays = {"x": scale * draw.numbers(n.B, n.T, C), "dy": scale * draw.numbers(n.B, n.T, C)}  # dx is of order one
    arrays |= {name: draw.rows(C) for name in ("weight", "bias", "dweight", "dbias")}

    def run(x, dy, weight, bias, dweight, dbias):
        y, kept = layernorm(x, weight, bias, 1e-5)
        return [y, layernorm_backward(dy, kept, weight, dweight, dbias)]

    return run, arrays


def layernorm_near_eps_case(draw, n):
    return layernorm_case(draw, n, scale=1e-5**0.5)


def gelu_case(draw, n):
    return lambda x: [gelu(x)], {"x": 3 * draw.numbers(n.B, n.T, n.D)}


def gelu_and_slope_case(draw, n):
    arrays = {"x": 3 * draw.numbers(n.B, n.T, n.D), "dy": draw.numbers(n.B, n.T, n.D)}

    def run(x, dy):
        y, slope = gelu_and_slope(x)
        return [y, slope, gelu_backward(dy, slope)]

    return run, arrays


def erf_case(draw, n):
    """Also where it is 1 to the last bit."""
    return lambda z: [erf(z)], {"z": 5 * draw.numbers(n.B, n.T, n.D)}


def gelu_erf_case(draw, n):
    arrays = {"x": 5 * draw.numbers(n.B, n.T, n.D), "dy": draw.numbers(n.B, n.T, n.D)}
    return lambda x, dy: [gelu_erf(x), gelu_erf_backward(dy, x)], arrays


def sigmoid_case(draw, n):
    return lambda x: [sigmoid(x)], {"x": 3 * draw.numbers(n.B, n.T, n.D)}


def swish_case(draw, n):
    arrays = {"x": 3 * draw.numbers(n.B, n.T, n.D), "dy": draw.numbers(n.B, n.T, n.D)}
    return lambda x, dy: [swish(x, 1.702), swish_backward(dy, x, 1.702)], arrays


def relu_case(draw, n):
    arrays = {"x": draw.numbers(n.B, n.T, n.D), "dy": draw.numbers(n.B, n.T, n.D)}
    return lambda x, dy: [relu(x), relu_backward(dy, x)], arrays


def drop_case(draw, n):
    arrays = {"x": draw.numbers(n.B, n.T, n.D), "dropped": draw.mask(0.4, n.B, n.T, n.D)}
    return lambda x, dropped: [drop(x, dropped, 0.4), drop(x, None, 0.4)], arrays


def attention_case(draw, n):
    """q, k and v side by side and o's gradient, as the layer makes them."""
    arrays = {"qkv": draw.rows(n.B, n.T, 3 * n.H * n.D), "do": draw.rows(n.B, n.T, n.H * n.D)}

    def run(qkv, do, dropped=None):
        q, k, v = (heads(qkv, 3 * n.H)[:, i * n.H : (i + 1) * n.H] for i in range(3))
        o, kept = attention(q, k, v, 0.7, dropped, 0.3)
        return [o, attention_backward(heads(do, n.H), kept)]

    return run, arrays


def attention_with_dropout_case(draw, n):
    run, arrays = attention_case(draw, n)
    return run, arrays | {"dropped": draw.mask(0.3, n.B, n.H, n.T, n.T)}


def attention_in_other_layouts_case(draw, n):
    arrays = {name: draw.numbers(n.B, n.H, n.T, n.D) for name in ("q", "k", "v", "do")}

    def run(q, k, v, do):
        o, kept = attention(q, k, v, 0.7)
        return [o, attention_backward(do, kept)]

    return run, arrays


def attention_to_a_past_case(draw, n):
    """Keys and values in a cache that has more room; dropout is possible there too."""
    room, S = n.past + n.T + 3, n.past + n.T
    arrays = {name: draw.rows(n.B, n.H, room, n.D)[:, :, :S] for name in ("k", "v")}
    arrays |= {"q": draw.numbers(n.B, n.H, n.T, n.D), "dropped": draw.mask(0.3, n.B, n.H, n.T, S)}

    def run(q, k, v, dropped, start=None):
        return [attention(q, k, v, 0.7, None, 0.3, start)[0], attention(q, k, v, 0.7, dropped, 0.3, start)[0]]

    return run, arrays


def attention_to_a_padded_past_case(draw, n):
    """A row whose text begins after a query is asked too: padding meets itself."""
    run, arrays = attention_to_a_past_case(draw, n)
    return run, arrays | {"start": draw.ids(n.past + n.T, n.B)}


def cross_entropy_case(draw, n, spread=1):
    arrays = {"logits": spread * draw.numbers(n.B, n.T, n.V), "targets": draw.targets(n.V, n.B, n.T)}

    def run(logits, targets):
        loss, kept = cross_entropy(logits, targets)
        return [loss, cross_entropy_backward(kept)]

    return run, arrays


def cross_attention_case(draw, n):
    """To a text of another length, of which some is padding: in the last row all."""
    S = n.past
    arrays = {"x": draw.rows(n.B, n.T, n.H * n.D), "kv": draw.rows(n.B, S, 2 * n.H * n.D)}
    arrays |= {"do": draw.rows(n.B, n.T, n.H * n.D), "padding": draw.mask(0.3, n.B, S)}
    arrays["padding"][-1] = True

    def run(x, kv, do, padding=None, dropped=None):
        kv = heads(kv, 2 * n.H)
        o, kept = cross_attention(heads(x, n.H), kv[:, : n.H], kv[:, n.H :], 0.7, padding, dropped, 0.3)
        return [o, *cross_attention_backward(heads(do, n.H), kept)]

    return run, arrays


def cross_attention_without_padding_case(draw, n):
    run, arrays = cross_attention_case(draw, n)
    del arrays["padding"]
    return run, arrays | {"dropped": draw.mask(0.3, n.B, n.H, n.T, n.past)}


def masked_mean_case(draw, n):
    """The last text is padding alone."""
    arrays = {"x": draw.numbers(n.B, n.T, n.D), "dy": draw.numbers(n.B, n.D), "padding": draw.mask(0.3, n.B, n.T)}
    arrays["padding"][-1] = True

    def run(x, dy, padding):
        y, kept = masked_mean(x, padding)
        return [y, masked_mean_backward(dy, kept)]

    return run, arrays


def smoothed_cross_entropy_case(draw, n):
    _, arrays = tied_cross_entropy_case(draw, n)

    def run(x, targets, weight, dweight):
        loss, kept = smoothed_cross_entropy(x, weight, targets, 0.3)
        return [loss, smoothed_cross_entropy_backward(kept, weight, dweight)]

    return run, arrays


def tied_cross_entropy_case(draw, n, spread=1):
    arrays = {
        "x": spread * draw.numbers(n.B, n.T, n.D),
        "targets": draw.targets(n.V, n.B, n.T),
        "weight": draw.rows(n.V, n.D),
        "dweight": draw.rows(n.V, n.D),
    }

    def run(x, targets, weight, dweight):
        loss, kept = tied_cross_entropy(x, weight, targets)
        return [loss, tied_cross_entropy_backward(kept, weight, dweight)]

    return run, arrays


def tied_cross_entropy_of_large_logits_case(draw, n):
    return tied_cross_entropy_case(draw, n, spread=100)


def adamw_update_case(draw, n):
    """Some gradients are zero and always were, as those of tokens that do not occur."""
    size, t = n.B * n.D * n.V, n.T
    arrays = {name: draw.rows(size) for name in ("w", "g", "m")} | {"v": draw.rows(size) ** 2}
    unused = draw.mask(0.1, size)
    for name in "gmv":
        arrays[name][unused] = 0
    decay = draw.rng.choice([0.0, 0.1])
    return lambda w, g, m, v: [adamw_update(w, g, m, v, t, 0.01, 0.9, 0.99, 1e-8, float(decay))], arrays


def squared_norm_case(draw, n):
    return lambda x: [squared_norm(x)], {"x": draw.rows(n.B * n.D * n.V)}


CASES = {
    "linear": linear_case,
    "embedding": embedding_case,
    "embedding of positions": embedding_of_positions_case,
    "tied_head": tied_head_case,
    "tied_head of last positions": tied_head_of_last_positions_case,
    "layernorm": layernorm_case,
    "layernorm near eps": layernorm_near_eps_case,
    "gelu": gelu_case,
    "gelu_and_slope": gelu_and_slope_case,
    "erf": erf_case,
    "gelu_erf": gelu_erf_case,
    "sigmoid": sigmoid_case,
    "swish": swish_case,
    "relu": relu_case,
    "drop": drop_case,
    "attention": attention_case,
    "attention with dropout": attention_with_dropout_case,
    "attention in other layouts": attention_in_other_layouts_case,
    "attention to a past": attention_to_a_past_case,
    "attention to a padded past": attention_to_a_padded_past_case,
    "cross_attention": cross_attention_case,
    "cross_attention without padding": cross_attention_without_padding_case,
    "masked_mean": masked_mean_case,
    "cross_entropy": cross_entropy_case,
    "tied_cross_entropy": tied_cross_entropy_case,
    "tied_cross_entropy of large logits": tied_cross_entropy_of_large_logits_case,
    "smoothed_cross_entropy": smoothed_cross_entropy_case,
    "adamw_update": adamw_update_case,
    "squared_norm": squared_norm_case,
}


def outcome(name, draw, sizes, place=None):
    """Name -> array: all results of a case and all its arguments after it. `place` brings an array to a device."""
    run, arrays = CASES[name](draw, sizes)
    placed = {key: array if place is None or key in ON_HOST else place(array) for key, array in arrays.items()}
    results = run(**placed)
    return {f"result {i}": on_host(x) for i, x in enumerate(results)} | {key: on_host(x) for key, x in placed.items()}


def on_host(x):
    """None stays None: nothing is returned."""
    return x if x is None else np.asarray(x.get() if hasattr(x, "get") else x)


def assert_same(found, expected, rtol=1e-11, atol=1e-11):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value is None:
            assert found[key] is None, key
        else:
            assert found[key].shape == value.shape, key
            assert np.allclose(found[key], value, rtol=rtol, atol=atol), key
