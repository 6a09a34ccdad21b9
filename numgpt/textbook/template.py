# The template of the textbook, in which `numgpt textbook` replaces imports by definitions: see __init__.py.
# ruff: noqa: E402, I001
"""GPT-2 in one file: every formula, forward and backward, in plain NumPy that runs.

    python gpt2.py                          learn one line of text, then recite it (a few seconds)
    python gpt2.py FOLDER 464 3290 318      20 more ids, from the model.safetensors and config.json in FOLDER

B sequences of T ids each become B x T vectors of C channels; attention has H heads of D = C/H channels each, which look
at S keys, here the T positions themselves; V tokens make up the vocabulary. dx is the gradient of the loss at x, of x's
shape. x^T is x transposed, @ multiplies matrices and * element by element; [i = j] is 1 where i = j, else 0.

A chapter is a layer: f(x, ...) returns y, or y and what f_backward needs; f_backward(dy, ...) returns dx, and adds to
the parameters' gradients, dweight and dbias, which it is given.

Made by `numgpt textbook > gpt2.py` from the layers of numgpt, which run these very functions, on a GPU too (hence
`like=`, and "host" for the CPU's side): edit them there, not here.
"""

import json
import math
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np

from numgpt.layers.embedding import embedding, embedding_backward, tied_head, tied_head_backward
from numgpt.layers.linear import linear, linear_backward
from numgpt.layers.layernorm import layernorm, layernorm_backward
from numgpt.layers.gelu import gelu_and_slope, gelu_backward
from numgpt.layers.dropout import drop
from numgpt.layers.attention import attention, attention_backward, heads, merge
from numgpt.layers.loss import cross_entropy, cross_entropy_backward

# The layers put together (Radford et al. 2019): embed, a stack of blocks, normalise, score every token.
GPTConfig = namedtuple("GPTConfig", "n_vocab n_ctx n_embd n_head n_layer dropout", defaults=[0.0])  # V, largest T, C, H


class GPT:
    """p: the parameters, g: their gradients, by GPT-2's published names. rng draws dropout's zeros; None: no dropout.

    Forward pushes onto the stack `kept` what backward pops from it, going through forward's lines in reverse.
    """

    def __init__(self, config, p, rng=None):
        self.config, self.p, self.rng, self.kept = config, p, rng, []
        self.g = {name: np.zeros_like(value) for name, value in p.items()}

    def loss(self, ids, targets):
        """The mean surprise at targets (B, T), each the token that comes after ids (B, T) up to its position."""
        loss, kept = cross_entropy(self.logits(ids), targets)
        self.kept.append(kept)
        return loss

    def backward(self):
        """Add the gradient of the last loss to g: wte's at both ends, wpe's summed over B, whose rows share it."""
        dlogits = cross_entropy_backward(self.kept.pop())
        dx = tied_head_backward(dlogits, self.kept.pop(), self.p["wte.weight"], self.g["wte.weight"])
        dx = layernorm_backward(dx, self.kept.pop(), *self.back("ln_f"))
        for i in reversed(range(self.config.n_layer)):
            dx = self.block_backward(dx, self.kept.pop(), f"h.{i}.")
        dx = drop(dx, self.kept.pop(), self.config.dropout)
        embedding_backward(dx.sum(0), np.arange(dx.shape[1]), self.g["wpe.weight"])
        embedding_backward(dx, self.kept.pop(), self.g["wte.weight"])

    def logits(self, ids):
        """The scores (B, T, V) of every token as the next one after ids (B, T) up to each position."""
        x = embedding(self.p["wte.weight"], ids) + embedding(self.p["wpe.weight"], np.arange(ids.shape[1]))
        self.kept = [ids, self.draw(x.shape)]
        x = drop(x, self.kept[-1], self.config.dropout)
        for i in range(self.config.n_layer):
            x, kept = self.block(x, f"h.{i}.")
            self.kept.append(kept)
        x, kept = layernorm(x, *self.of("ln_f"), eps=1e-5)
        self.kept += [kept, x]
        return tied_head(x, self.p["wte.weight"])

    def block(self, x, name):
        """h = x + attn(ln_1(x)), c_attn making q, k, v at once, as 3H heads; y = h + mlp(ln_2(h)), 4C wide inside."""
        (B, T, C), H, p_drop = x.shape, self.config.n_head, self.config.dropout
        dropped = [self.draw(shape) for shape in ((B, H, T, T), x.shape, x.shape)]
        x1, ln_1 = layernorm(x, *self.of(name + "ln_1"), eps=1e-5)
        q, k, v = np.split(heads(linear(x1, *self.of(name + "attn.c_attn")), 3 * H), 3, axis=1)
        o, attn = attention(q, k, v, 1 / math.sqrt(C // H), dropped[0], p_drop)
        o = merge(o)
        h = x + drop(linear(o, *self.of(name + "attn.c_proj")), dropped[1], p_drop)
        h1, ln_2 = layernorm(h, *self.of(name + "ln_2"), eps=1e-5)
        a, slope = gelu_and_slope(linear(h1, *self.of(name + "mlp.c_fc")))
        y = h + drop(linear(a, *self.of(name + "mlp.c_proj")), dropped[2], p_drop)
        return y, (dropped, x1, ln_1, attn, o, h1, ln_2, slope, a)

    def block_backward(self, dy, kept, name):
        """A sum passes its gradient on unchanged to both terms; what comes back through the layers is added."""
        (dropped, x1, ln_1, attn, o, h1, ln_2, slope, a), p_drop = kept, self.config.dropout
        da = linear_backward(drop(dy, dropped[2], p_drop), a, *self.back(name + "mlp.c_proj"))
        du = gelu_backward(da, slope)
        dh1 = linear_backward(du, h1, *self.back(name + "mlp.c_fc"))
        dh = dy + layernorm_backward(dh1, ln_2, *self.back(name + "ln_2"))
        do = linear_backward(drop(dh, dropped[1], p_drop), o, *self.back(name + "attn.c_proj"))
        dqkv = attention_backward(heads(do, self.config.n_head), attn)
        dx1 = linear_backward(merge(dqkv), x1, *self.back(name + "attn.c_attn"))
        return dh + layernorm_backward(dx1, ln_1, *self.back(name + "ln_1"))

    def of(self, name):
        """The parameters of a layer, as its forward takes them."""
        return self.p[name + ".weight"], self.p[name + ".bias"]

    def back(self, name):
        """The weight of a layer and its gradients, as its backward takes them."""
        return self.p[name + ".weight"], self.g[name + ".weight"], self.g[name + ".bias"]

    def draw(self, shape):
        """True where dropout puts a zero."""
        return self.rng and self.rng.random(shape) < self.config.dropout


def starting_weights(config, rng):
    """p: matrices from N(0, 0.02^2), smaller where they end in the residual stream; biases 0, LayerNorm's weights 1."""
    C = config.n_embd
    block = {"ln_1": (C,), "attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C)}
    block |= {"ln_2": (C,), "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
    layers = {f"h.{i}.{name}": shape for i in range(config.n_layer) for name, shape in block.items()} | {"ln_f": (C,)}
    p = {"wte.weight": rng.normal(0, 0.02, (config.n_vocab, C)), "wpe.weight": rng.normal(0, 0.02, (config.n_ctx, C))}
    for name, shape in layers.items():
        std = 0.02 / math.sqrt(2 * config.n_layer) if name.endswith("c_proj") else 0.02  # no growth with depth
        p[name + ".weight"] = rng.normal(0, std, shape) if len(shape) == 2 else np.ones(C)
        p[name + ".bias"] = np.zeros(shape[-1])
    return p


from numgpt.training.optimizer import adamw_update


class AdamW:
    """The optimizer of a GPT: m and v for every parameter."""

    def __init__(self, model):
        self.model, self.t = model, 0
        self.m, self.v = ({name: np.zeros_like(value) for name, value in model.p.items()} for _ in range(2))

    def step(self, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
        """Update every parameter, and set its gradient back to 0."""
        self.t += 1
        for name in self.model.p:
            w, g, m, v = (arrays[name].reshape(-1) for arrays in (self.model.p, self.model.g, self.m, self.v))
            decay = weight_decay if self.model.p[name].ndim == 2 else 0
            adamw_update(w, g, m, v, self.t, lr, beta1, beta2, eps, decay)
            g.fill(0)


def greedy(model, ids, n):
    """ids, a list, and n more, each the token with the largest score."""
    for _ in range(n):
        ids = [*ids, int(model.logits(np.array([ids[-model.config.n_ctx :]]))[0, -1].argmax())]
    return ids


def read_safetensors(path):
    """name -> array. The file: n in 8 bytes; n bytes of JSON that say where each array lies in the rest; the rest."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    types, arrays = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}, {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            dtype, shape, (begin, end) = types[entry["dtype"]], entry["shape"], entry["data_offsets"]
            arrays[name] = np.frombuffer(data[start + begin : start + end], dtype).reshape(shape)
    return arrays


def load(folder, dtype="float32"):
    """The GPT in a folder as the transformers library writes it."""
    sizes = json.loads(Path(folder, "config.json").read_text("utf-8"))
    config = GPTConfig(*(sizes[key] for key in ("vocab_size", "n_positions", "n_embd", "n_head", "n_layer")))
    stored = read_safetensors(Path(folder, "model.safetensors"))
    return GPT(config, {name.removeprefix("transformer."): array.astype(dtype) for name, array in stored.items()})


def main(text="To be, or not to be, that is the question: whether it is nobler in the mind to suffer"):
    """Learn `text`, each character a token, and recite it."""
    tokens = sorted(set(text))
    ids = [tokens.index(character) for character in text]
    config = GPTConfig(n_vocab=len(tokens), n_ctx=len(ids), n_embd=24, n_head=3, n_layer=2)
    model = GPT(config, starting_weights(config, np.random.default_rng(0)))
    optimizer = AdamW(model)
    for step in range(101):
        loss = model.loss(np.array([ids[:-1]]), np.array([ids[1:]]))
        if step % 10 == 0:
            print(f"step {step:3}   loss {loss:.4f}")
        model.backward()
        optimizer.step(lr=1e-2, weight_decay=0.1)
    print("".join(tokens[i] for i in greedy(model, ids[:6], len(ids) - 6)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*greedy(load(sys.argv[1]), [int(i) for i in sys.argv[2:]], 20))
    else:
        main()
