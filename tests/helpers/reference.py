"""The plain twin: a GPT-2 forward pass in float64 with nothing clever in it, one position and one head at a time.

Everything in numgpt that computes the same is compared with this, and this is compared with other software.
Parameters come as a dict from published name to array. Dropout comes as a dict from a name to the factors of its
values; without one, nothing is dropped.
"""

import math

import numpy as np


def layernorm(x, weight, bias):
    """x is (C,)."""
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    return np.array([(value - mean) / math.sqrt(variance + 1e-5) for value in x]) * weight + bias


def gelu(x):
    return np.array([v / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) for v in x])


def softmax(scores):
    exps = [math.exp(score - max(scores)) for score in scores]
    return [e / sum(exps) for e in exps]


def factors(rng, shape, p):
    """What dropout multiplies with: 0 where two random bytes are below p, else 1 / (1 - p)."""
    size = math.prod(shape)
    words = rng.integers(0, 2**64 - 1, -(-size // 4), dtype=np.uint64, endpoint=True)
    pairs = [int(word) >> 16 * i & 0xFFFF for word in words for i in range(4)][:size]
    return np.array([0 if pair < round(p * 65536) else 1 / (1 - p) for pair in pairs]).reshape(shape)


def attention(xs, p, prefix, n_head, drop=None):
    """xs is a list of T vectors (C,); the answer as well."""
    C = len(xs[0])
    D = C // n_head
    qkv = [x @ p[prefix + "c_attn.weight"] + p[prefix + "c_attn.bias"] for x in xs]
    ys = []
    for t in range(len(xs)):
        heads = []
        for h in range(n_head):
            here = slice(h * D, (h + 1) * D)
            q = qkv[t][:C][here]
            weights = softmax([q @ qkv[u][C : 2 * C][here] / math.sqrt(D) for u in range(t + 1)])
            kept = (drop or {}).get(prefix + "attn_drop", np.ones((n_head, len(xs), len(xs))))[h, t]
            heads.append(sum(kept[u] * w * qkv[u][2 * C :][here] for u, w in enumerate(weights)))
        ys.append(np.concatenate(heads) @ p[prefix + "c_proj.weight"] + p[prefix + "c_proj.bias"])
    return ys


def cross_attention(q, k, v, scale, padding, dropped, p_drop):
    """q is (B, H, T, D), k and v (B, H, S, D), padding (B, S): the answer (B, H, T, D), query by query."""
    o = np.zeros_like(q)
    for b, h, t in np.ndindex(q.shape[:3]):
        there = [u for u in range(k.shape[2]) if not padding[b, u]]
        weights = softmax([q[b, h, t] @ k[b, h, u] * scale for u in there])
        for u, weight in zip(there, weights, strict=True):
            o[b, h, t] += weight * (1 - dropped[b, h, t, u]) / (1 - p_drop) * v[b, h, u]
    return o


def mlp(x, p, prefix):
    hidden = gelu(x @ p[prefix + "c_fc.weight"] + p[prefix + "c_fc.bias"])
    return hidden @ p[prefix + "c_proj.weight"] + p[prefix + "c_proj.bias"]


def logits(ids, p, n_layer, n_head, drop=None):
    """ids is a list of T ints; the answer is (T, V)."""
    drop = drop or {}
    xs = [p["wte.weight"][token] + p["wpe.weight"][t] for t, token in enumerate(ids)]
    nothing = np.ones((len(xs), len(xs[0])))
    xs = [x * m for x, m in zip(xs, drop.get("drop", nothing), strict=True)]
    for i in range(n_layer):
        name = f"h.{i}."
        normed = [layernorm(x, p[name + "ln_1.weight"], p[name + "ln_1.bias"]) for x in xs]
        ys = attention(normed, p, name + "attn.", n_head, drop)
        xs = [x + y * m for x, y, m in zip(xs, ys, drop.get(name + "attn.resid_drop", nothing), strict=True)]
        normed = [layernorm(x, p[name + "ln_2.weight"], p[name + "ln_2.bias"]) for x in xs]
        ys = [mlp(x, p, name + "mlp.") for x in normed]
        xs = [x + y * m for x, y, m in zip(xs, ys, drop.get(name + "mlp.drop", nothing), strict=True)]
    return np.array([layernorm(x, p["ln_f.weight"], p["ln_f.bias"]) @ p["wte.weight"].T for x in xs])


def loss(ids, targets, p, n_layer, n_head, drop=None):
    """ids and targets are lists of B lists; targets of -1 do not count."""
    surprises = []
    for b, (row, row_targets) in enumerate(zip(ids, targets, strict=True)):
        dropped = {name: values[b] for name, values in (drop or {}).items()}
        for scores, target in zip(logits(row, p, n_layer, n_head, dropped), row_targets, strict=True):
            if target != -1:
                surprises.append(-math.log(softmax(list(scores))[target]))
    return sum(surprises) / len(surprises)


def slope(loss, p, direction):
    """The derivative of loss(p) along `direction`, a dict like p, by differences in which the error in h^2 cancels."""

    def along(h):
        return loss({name: value + h * direction[name] for name, value in p.items()})

    h = 1e-4
    return (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
