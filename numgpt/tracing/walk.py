"""Once forward and once backward through a model, recording every value and every gradient on the way.

`trace` follows `GPT.loss` and `GPT.backward` layer by layer. The layers know nothing of it: a model that is not traced
does no extra work and keeps nothing extra. F is the width inside the feed-forward network, S = T the number of keys.

    embed                 (B, T, C)       the token's row plus the position's row: where the residual stream begins
    h.i.ln_1              (B, T, C)       what the attention of block i reads
    h.i.attn.q, .k, .v    (B, H, T, D)    queries, keys, values
    h.i.attn.s, .p        (B, H, T, S)    scores, -inf where masked, and probabilities
    h.i.attn.o            (B, H, T, D)    what each head has gathered
    h.i.attn              (B, T, C)       what attention adds to the stream
    h.i.mid               (B, T, C)       the stream between attention and feed-forward network
    h.i.ln_2              (B, T, C)       what the feed-forward network reads
    h.i.mlp.c_fc, .act    (B, T, F)       its neurons before and after the activation function
    h.i.mlp               (B, T, C)       what it adds to the stream
    h.i                   (B, T, C)       the stream after block i
    ln_f                  (B, T, C)       what the output head reads
    logits                (B, T, V)
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.layers import Attention
from numgpt.layers.attention import Attended, attention, attention_backward, heads, merge, visible
from numgpt.layers.base import Array, inferring
from numgpt.layers.dropout import drop
from numgpt.layers.loss import cross_entropy, cross_entropy_backward
from numgpt.model import GPT, Block
from numgpt.model.gpt import check_model
from numgpt.tracing.result import Trace

Replacement = Any | Callable[[Any], Any]


def trace(
    model: GPT,
    ids: Any,
    targets: Any = None,
    names: Iterable[str] | None = None,
    replace: Mapping[str, Replacement] | None = None,
) -> Trace:
    """Run `model` forward over ids, (B, T), and with targets, (B, T), also backward; return the `Trace`.

    names: patterns of the names to keep, such as ["h.*.attn.p", "logits"]; None keeps all. replace: name -> an array to
    put in the place of that value, or a function from the value to one; gradients pass through as if nothing had been
    replaced. The gradients of the parameters are added to the model's, as in `GPT.backward`.

    Raises InputError as `GPT.loss` does, for a pattern or a name that matches nothing, and for an array of another
    shape.
    """
    check_model(model)
    ids = model.check_ids(ids)
    walk = Walk(model, ids, names, {} if replace is None else replace)
    if targets is None:
        with inferring():
            walk.forward(None)
    else:
        walk.forward(model.check_targets(targets, ids))
        walk.backward()
    return walk.trace


def names_of(model: GPT) -> list[str]:
    """All names in a trace of `model`, in the order of computation."""
    inside = ("ln_1", *(f"attn.{x}" for x in "qkvspo"), "attn", "mid", "ln_2", "mlp.c_fc", "mlp.act", "mlp")
    blocks = [name for i in range(len(model.h)) for name in (*(f"h.{i}.{part}" for part in inside), f"h.{i}")]
    return ["embed", *blocks, "ln_f", "logits"]


class Walk:
    """One pass through a model and back."""

    def __init__(self, model: GPT, ids: np.ndarray, names: Iterable[str] | None, replace: Mapping[str, Replacement]):
        self.model, self.ids, self.replace = model, ids, replace
        self.wanted = chosen(names_of(model), names, replace)
        self.trace = Trace(model, ids)
        self.attended: list[Any] = []  # what attention keeps for its backward, block by block

    def note(self, name: str, value: Array) -> Array:
        """Record a value, if it is asked for; return it, or its replacement."""
        if name in self.replace:
            value = replaced(name, value, self.replace[name])
        if name in self.wanted:
            self.trace.values[name] = to_host(value)
        return value

    def note_gradient(self, name: str, gradient: Array) -> Array:
        """Record the gradient at a value, if it is asked for; return it."""
        if name in self.wanted:
            self.trace.gradients[name] = to_host(gradient)
        return gradient

    def touches(self, *names: str) -> bool:
        """Whether one of the values is asked for or replaced, so that it has to be computed."""
        return any(name in self.wanted or name in self.replace for name in names)

    def forward(self, targets: np.ndarray | None) -> None:
        """From ids to logits, and to the loss if there are targets."""
        model = self.model
        x = model.wte.forward(self.ids) + model.wpe.forward(np.arange(self.ids.shape[1]))
        x = self.rise(model.drop.forward(x))
        if targets is None:
            if self.touches("logits"):
                self.note("logits", model.head.forward(x))
            return
        self.trace.targets = targets
        if self.touches("logits"):
            loss, self.surprise = cross_entropy(self.note("logits", model.head.forward(x)), targets)
            self.trace.loss = float(loss)
        else:
            self.trace.loss = model.criterion.forward(x, targets)

    def rise(self, x: Array, first: int = 0) -> Array:
        """From the residual stream x below block `first` to what the output head reads."""
        x = self.note("embed" if first == 0 else f"h.{first - 1}", x)
        self.trace.stream.append(x)
        for i, block in enumerate(self.model.h[first:], first):
            x = self.block(f"h.{i}", block, x)
            self.trace.stream.append(x)
        return self.note("ln_f", self.model.ln_f.forward(x))

    def block(self, at: str, block: Block, x: Array) -> Array:
        """`Block.forward`."""
        mlp = block.mlp
        a = self.attention(f"{at}.attn", block.attn, self.note(f"{at}.ln_1", block.ln_1.forward(x)))
        h = self.note(f"{at}.mid", x + a)
        n = self.note(f"{at}.ln_2", block.ln_2.forward(h))
        f = self.note(f"{at}.mlp.c_fc", mlp.c_fc.forward(n))
        g = self.note(f"{at}.mlp.act", mlp.act.forward(f))
        m = self.note(f"{at}.mlp", mlp.drop.forward(mlp.c_proj.forward(g)))
        return self.note(at, h + m)

    def attention(self, at: str, layer: Attention, n: Array) -> Array:
        """`Attention.forward`. Scores and probabilities are computed only if asked for or replaced."""
        qkv = heads(layer.c_attn.forward(n), 3 * layer.n_head)
        q, k, v = (self.note(f"{at}.{name}", part) for name, part in zip("qkv", thirds(qkv), strict=True))
        dropped, p_drop = layer.attn_drop.draw((*q.shape[:3], k.shape[2]), q), layer.attn_drop.p
        if self.touches(f"{at}.s", f"{at}.p"):
            s = q @ k.swapaxes(-1, -2) * layer.scale
            s = self.note(f"{at}.s", np.where(visible(s, None), s, -np.inf))
            e = np.exp(s - s.max(-1, keepdims=True))
            p = self.note(f"{at}.p", e / e.sum(-1, keepdims=True))
            o: Any = drop(p, dropped, p_drop) @ v
            kept: Any = Attended(q, k, v, p, layer.scale, dropped, p_drop)
        else:
            o, kept = attention(q, k, v, layer.scale, dropped, p_drop)
        self.attended.append(kept)
        return self.note(at, layer.resid_drop.forward(layer.c_proj.forward(merge(self.note(f"{at}.o", o)))))

    def backward(self) -> None:
        """From the loss to the parameters."""
        model = self.model
        if self.touches("logits"):
            dx = model.head.backward(self.note_gradient("logits", cross_entropy_backward(self.surprise)))
        else:
            dx = model.criterion.backward()
        dx = model.ln_f.backward(self.note_gradient("ln_f", dx))
        for i in reversed(range(len(model.h))):
            dx = self.block_backward(f"h.{i}", model.h[i], self.note_gradient(f"h.{i}", dx))
        dx = model.drop.backward(self.note_gradient("embed", dx))
        model.wte.backward(dx)
        model.wpe.backward(dx.sum(0))

    def block_backward(self, at: str, block: Block, dy: Array) -> Array:
        """`Block.backward`."""
        mlp = block.mlp
        dm = mlp.drop.backward(self.note_gradient(f"{at}.mlp", dy))
        df = mlp.act.backward(self.note_gradient(f"{at}.mlp.act", mlp.c_proj.backward(dm)))
        dn = mlp.c_fc.backward(self.note_gradient(f"{at}.mlp.c_fc", df))
        dh = dy + self.came_through(f"{at}.mlp", block.ln_2.backward(self.note_gradient(f"{at}.ln_2", dn)))
        dn = self.attention_backward(f"{at}.attn", block.attn, self.note_gradient(f"{at}.mid", dh))
        return dh + self.came_through(f"{at}.attn", block.ln_1.backward(self.note_gradient(f"{at}.ln_1", dn)))

    def came_through(self, name: str, gradient: Array) -> Array:
        """Record the part of the stream's gradient that came through a branch, not past it."""
        if name in self.wanted:
            self.trace.through[name] = to_host(gradient)
        return gradient

    def attention_backward(self, at: str, layer: Attention, dy: Array) -> Array:
        """`Attention.backward`."""
        kept = self.attended.pop()
        do = layer.c_proj.backward(layer.resid_drop.backward(self.note_gradient(at, dy)))
        do = self.note_gradient(f"{at}.o", heads(do, layer.n_head))
        if not self.touches(f"{at}.s", f"{at}.p"):
            dqkv = attention_backward(do, kept)
        else:
            q, k, v, p, scale, dropped, p_drop = kept
            dp = self.note_gradient(f"{at}.p", drop(do @ v.swapaxes(-1, -2), dropped, p_drop))
            ds = self.note_gradient(f"{at}.s", p * (dp - (dp * p).sum(-1, keepdims=True)))
            dv = drop(p, dropped, p_drop).swapaxes(-1, -2) @ do
            dqkv = np.concatenate([ds @ k * scale, ds.swapaxes(-1, -2) @ q * scale, dv], axis=1)
        for name, part in zip("qkv", thirds(dqkv), strict=True):
            self.note_gradient(f"{at}.{name}", part)
        return layer.c_attn.backward(merge(dqkv))


def thirds(qkv: Array) -> tuple[Array, Array, Array]:
    """(B, 3H, T, D) -> queries, keys and values, each (B, H, T, D)."""
    H = qkv.shape[1] // 3
    return qkv[:, :H], qkv[:, H : 2 * H], qkv[:, 2 * H :]


def chosen(names: list[str], patterns: Iterable[str] | None, replace: Mapping[str, Any]) -> set[str]:
    """The names that match a pattern. Raises InputError for a pattern or a replaced name that matches none."""
    if not isinstance(replace, Mapping):
        raise InputError(f"replace must be a dict, {{name: array}}, not {quoted(replace)}")
    for name in replace:
        if name not in names:
            raise InputError(f"replace: there is no value {quoted(name)}; the values are {examples(names)}")
    if patterns is None:
        return set(names)
    found: set[str] = set()
    for pattern in texts(patterns, "names"):
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise InputError(f"names: {quoted(pattern)} matches no value; the values are {examples(names)}")
        found.update(fitting)
    return found


def texts(several: Any, what: str) -> list[str]:
    """`several`, one str or more, as a list. Raises InputError for anything else."""
    try:
        found = [several] if isinstance(several, str) else list(several)
    except (TypeError, NotImplementedError):
        found = [several]
    for text in found:
        if not isinstance(text, str):
            raise InputError(f"{what} must be strings, not {quoted(text)}")
    return found


def examples(names: list[str]) -> str:
    """The names of the first block and those outside all blocks."""
    return ", ".join(name for name in names if not name.startswith("h.") or name.split(".")[1] == "0")


def replaced(name: str, value: Array, replacement: Replacement) -> Array:
    """What is put in the place of `value`. Raises InputError for another shape, and for anything but numbers."""
    new = replacement(value) if callable(replacement) else replacement
    try:
        new = np.asarray(new, dtype=value.dtype, like=value)
    except (TypeError, ValueError) as error:
        raise InputError(f"replace: the replacement for {name} is not an array of numbers: {error}") from None
    if new.shape != value.shape:
        raise InputError(f"replace: {name} has shape {value.shape}, but its replacement {new.shape}")
    return new
