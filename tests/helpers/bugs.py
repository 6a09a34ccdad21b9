"""Bugs as edits of the package's own text: in this formula, this text becomes that.

The table says which check of `numgpt gradcheck` sees the bug, and at which tensors. Where a formula is broken in such a
way that its backward still is the gradient of its forward, that is the fast kernel's row: "y", "dx" or "loss". The last
ones no check can see, because nothing in the package says it a second time: it takes an implementation by others.
"""

import importlib
import inspect
import sys
import textwrap
from typing import NamedTuple

from numgpt import kernels


class Bug(NamedTuple):
    """where: a function or method, "layers.gelu:gelu". text: what stands there, once. instead: what a bug has there.

    check: the check that sees it; "" where none can. wrong: the tensors that it must find wrong.
    """

    where: str
    text: str
    instead: str
    check: str = ""
    wrong: str = ""


LINEAR = [
    Bug("layers.linear:linear", " + bias", "", "linear", "bias"),
    Bug("layers.linear:linear", "+ bias", "- bias", "linear", "bias"),
    Bug("layers.linear:linear_backward", "dweight += ", "dweight[...] = ", "linear", "weight"),
    Bug("layers.linear:linear_backward", "dbias += ", "dbias[...] = ", "linear", "bias"),
    Bug("layers.linear:linear_backward", "dy_rows.sum(0)", "dy_rows.mean(0)", "linear", "bias"),
    Bug("layers.linear:linear_backward", "dy_rows.sum(0)", "dy[0].sum(0)", "linear", "bias"),
    Bug("layers.linear:linear_backward", "dy @ weight.T", "dy @ abs(weight.T)", "linear", "x"),
]

EMBEDDING = [
    Bug("layers.embedding:embedding", "weight[ids]", "weight[ids - 1]", "embedding", "weight"),
    Bug("layers.embedding:embedding_backward", "dweight[i] += row", "dweight[i] = row", "embedding", "weight"),
    Bug("layers.embedding:embedding_backward", "ids.reshape(-1)", "ids.T.reshape(-1)", "embedding", "weight"),
    Bug(
        "layers.embedding:embedding_backward",
        "    for i, row in zip(ids.reshape(-1), dy.reshape(-1, dy.shape[-1]), strict=True):\n        dweight[i] += row",
        "    dweight[ids] += dy",  # drops all but the last of equal ids
        "embedding",
        "weight",
    ),
    Bug("layers.embedding:tied_head", "weight.T", "weight.T * weight.shape[-1] ** -0.5", "tied-head", "x, weight"),
    Bug("layers.embedding:tied_head_backward", "dweight += ", "dweight[...] = ", "tied-head", "weight"),
    Bug("layers.embedding:tied_head_backward", "dweight += ", "dweight -= ", "tied-head", "weight"),
    Bug("layers.embedding:tied_head_backward", "return dlogits @", "return 2 * dlogits @", "tied-head", "x"),
]

LAYERNORM = [
    Bug("layers.layernorm:layernorm", " + eps", "", "layernorm-near-eps", "y"),
    Bug("layers.layernorm:layernorm", "keepdims=True) + eps)", "keepdims=True)) + eps", "layernorm-near-eps", "x"),
    Bug("layers.layernorm:layernorm", "** 2).mean(-1, keepdims=True)", "** 2).mean()", "layernorm", "x"),
    Bug(
        "layers.layernorm:layernorm",
        "** 2).mean(-1, keepdims=True)",
        "** 2).sum(-1, keepdims=True) / (x.shape[-1] - 1)",
        "layernorm",
        "x",
    ),
    Bug("layers.layernorm:layernorm", "xhat = (x - mu) * rstd", "xhat = x * rstd", "layernorm", "x"),
    Bug("layers.layernorm:layernorm", " + bias", "", "layernorm", "bias"),
    Bug("layers.layernorm:layernorm_backward", "g - g.mean(-1, keepdims=True)", "g", "layernorm", "x"),
    Bug(
        "layers.layernorm:layernorm_backward",
        " - xhat * (g * xhat).mean(-1, keepdims=True)",
        "",
        "layernorm",
        "x",
    ),
    Bug(  # as if xhat had variance 1, which it has only where eps is nothing beside x's
        "layers.layernorm:layernorm_backward",
        "(g * xhat).mean(-1, keepdims=True)",
        "(g * xhat).mean(-1, keepdims=True) / (xhat * xhat).mean(-1, keepdims=True)",
        "layernorm-near-eps",
        "x",
    ),
    Bug("layers.layernorm:layernorm_backward", "return rstd * ", "return ", "layernorm", "x"),
    Bug("layers.layernorm:layernorm_backward", "g = dy * weight", "g = dy", "layernorm", "x"),
    Bug("layers.layernorm:layernorm_backward", "(dy * xhat)", "dy", "layernorm", "weight"),
    Bug("layers.layernorm:layernorm_backward", "dbias += ", "dbias[...] = ", "layernorm", "bias"),
    Bug("layers.layernorm:layernorm_backward", "dy.sum(positions)", "dy.mean(positions)", "layernorm", "bias"),
]

ACTIVATIONS = [
    Bug("layers.gelu:gelu", "0.044715", "0.44715", "gelu", "x"),
    Bug("layers.gelu:gelu", "2 / math.pi", "math.pi / 2", "gelu", "x"),
    Bug("layers.gelu:gelu", "x * (1 + t) / 2", "x * (1 + t)", "gelu", "x"),
    Bug("layers.gelu:gelu_and_slope", " * (1 + 3 * 0.044715 * x * x)", "", "gelu", "x"),
    Bug("layers.gelu:gelu_and_slope", "return x * (1 + t) / 2", "return x * (1 + t)", "gelu", "x"),
    Bug("layers.gelu:gelu_and_slope", "1 - t * t", "1 - t", "gelu", "x"),
    Bug("layers.gelu:gelu_and_slope", " + x * (1 - t * t) * du / 2", "", "gelu", "x"),
    Bug("layers.gelu:gelu_backward", "dy * slope", "dy", "gelu", "x"),
    Bug("layers.gelu_erf:erf", "2 * n + 1", "2 * n - 1", "gelu-erf", "x"),
    Bug("layers.gelu_erf:erf", "2 / math.sqrt(math.pi)", "1 / math.sqrt(math.pi)", "gelu-erf", "x"),
    Bug("layers.gelu_erf:gelu_erf", "math.sqrt(2)", "2", "gelu-erf", "x"),
    Bug("layers.gelu_erf:gelu_erf_backward", "np.exp(-x * x / 2)", "np.exp(-x * x)", "gelu-erf", "x"),
    Bug("layers.gelu_erf:gelu_erf_backward", " + x * phi", "", "gelu-erf", "x"),
    Bug("layers.swish:sigmoid", "np.tanh(x / 2)", "np.tanh(x)", "swish", "x"),
    Bug("layers.swish:swish", "sigmoid(beta * x)", "sigmoid(x)", "swish", "x"),
    Bug("layers.swish:swish_backward", "g + beta * x", "g + x", "swish", "x"),
    Bug("layers.swish:swish_backward", " * (1 - g)", "", "swish", "x"),
    Bug("layers.relu:relu", "np.maximum(x, 0)", "np.abs(x)", "relu", "x"),
    Bug("layers.relu:relu_backward", "(x > 0)", "(x < 0)", "relu", "x"),
    Bug("layers.relu:relu_backward", "dy * (x > 0)", "np.maximum(dy, 0)", "relu", "x"),
]

DROPOUT = [
    Bug("layers.dropout:drop", "x / (1 - p)", "x", "dropout", "y, dx"),
    Bug("layers.dropout:drop", "x / (1 - p)", "x / p", "dropout", "y, dx"),
    Bug(
        "layers.dropout:drop", "np.where(dropped, 0, x / (1 - p))", "x * ~dropped", "attention-dropout", "y, dq, dk, dv"
    ),
    Bug("layers.dropout:drop", "np.where(dropped", "np.where(~dropped", "dropout", "y, dx"),
    Bug(
        "layers.dropout:Dropout.backward", "self.take()", "self.draw(dy.shape, dy)", "feedforward", "c_proj.bias, input"
    ),
    Bug("layers.dropout:Dropout.backward", "drop(dy, self.take(), self.p)", "dy", "feedforward", "c_proj.bias, input"),
    Bug("layers.dropout:draw_dropped", "p * 65536", "p * 32768", "dropout-draw", "dropped"),
    Bug("layers.dropout:draw_dropped", "65536)).reshape", "65536))[::-1].reshape", "dropout-draw", "dropped"),
    Bug("layers.dropout:draw_dropped", "< round", "> round", "dropout-draw", "dropped"),
]

ATTENTION = [
    Bug("layers.attention:attention", " * scale", "", "attention", "q, k"),
    Bug(
        "layers.attention:attention",
        "    s = np.where(visible(s, start), s, -np.inf)\n",
        "",
        "attention",
        "y, dq, dk, dv",
    ),
    Bug("layers.attention:attention", "p.sum(-1", "p.sum(-2", "attention", "q, k"),
    Bug("layers.attention:attention", "drop(p, dropped, p_drop) @ v", "p @ v", "attention-dropout", "q, k, v"),
    Bug(
        "layers.attention:visible", "s, dtype=bool), S - T)", "s, dtype=bool), S - T + 1)", "attention", "y, dq, dk, dv"
    ),
    Bug("layers.attention:visible", "s, dtype=bool), S - T)", "s, dtype=bool), S - T - 1)", "attention", "q, k, v"),
    Bug("layers.attention:attention_backward", "drop(p, dropped, p_drop).swap", "p.swap", "attention-dropout", "v"),
    Bug(
        "layers.attention:attention_backward",
        "drop(do @ v.swapaxes(-1, -2), dropped, p_drop)",
        "do @ v.swapaxes(-1, -2)",
        "attention-dropout",
        "q, k",
    ),
    Bug("layers.attention:attention_backward", " - (dp * p).sum(-1, keepdims=True)", "", "attention", "q, k"),
    Bug("layers.attention:attention_backward", "(dp * p).sum(-1", "(dp * p).sum(-2", "attention", "q, k"),
    Bug("layers.attention:attention_backward", "(dp * p)", "dp", "attention", "q, k"),
    Bug("layers.attention:attention_backward", "ds.swapaxes(-1, -2) @ q", "ds @ q", "attention", "k"),
    Bug("layers.attention:attention_backward", "ds @ k * scale", "ds @ k", "attention", "q"),
    Bug("layers.attention:attention_backward", "@ q * scale", "@ q", "attention-one-head", "k"),
    Bug("layers.attention:attention_backward", "[dq, dk, dv]", "[dk, dq, dv]", "attention", "q, k"),
    Bug(  # probabilities that were masked in forward, but are not here, carry gradient from the future
        "layers.attention:attention_backward",
        "dropped, p_drop = kept\n",
        "dropped, p_drop = kept\n    p = np.exp(q @ k.swapaxes(-1, -2) * scale)\n    p /= p.sum(-1, keepdims=True)\n",
        "attention",
        "q, k, v",
    ),
    Bug(
        "layers.attention:heads",
        "n_head, -1).swapaxes(1, 2)",
        "-1, n_head).transpose(0, 3, 1, 2)",
        "attention-layer",
        "input",
    ),
    Bug("layers.attention:merge", "x.swapaxes(1, 2)", "x", "attention-layer", "input, c_attn.weight"),
    Bug(
        "layers.attention:Attention.forward",
        "q, k, v = qkv",
        "k, q, v = qkv",
        "attention-layer",
        "c_attn.weight, input",
    ),
    Bug(
        "layers.attention:Attention.backward",
        "self.resid_drop.backward(dy)",
        "dy",
        "attention-layer",
        "c_proj.bias, input",
    ),
]

LOSS = [
    Bug("layers.loss:cross_entropy", ".mean()", ".sum()", "cross-entropy", "logits"),
    Bug("layers.loss:cross_entropy", " - np.log(np.exp(z).sum(-1, keepdims=True))", "", "cross-entropy", "logits"),
    Bug("layers.loss:cross_entropy", "targets != IGNORE", "targets > 0", "tied-cross-entropy", "loss, dx, dweight"),
    Bug(
        "layers.loss:cross_entropy",
        "targets != IGNORE",
        "targets == targets",
        "tied-cross-entropy",
        "loss, dx, dweight",
    ),
    Bug("layers.loss:cross_entropy_backward", "error / N", "error", "cross-entropy", "logits"),
    Bug("layers.loss:cross_entropy_backward", "error / N", "error / dlogits[..., 0].size", "cross-entropy", "logits"),
    Bug(
        "layers.loss:cross_entropy_backward",
        "    error[np.arange(N, like=log_p), targets] -= 1\n",
        "",
        "cross-entropy",
        "logits",
    ),
    Bug(
        "layers.loss:tied_cross_entropy",
        "tied_head(x, weight)",
        "tied_head(x, 2 * weight)",
        "tied-cross-entropy",
        "x, weight",
    ),
    Bug(  # the head's half of the shared table's gradient is lost
        "layers.loss:tied_cross_entropy_backward",
        "tied_head_backward(cross_entropy_backward(surprise), x, weight, dweight)",
        "cross_entropy_backward(surprise) @ weight",
        "tied-cross-entropy",
        "weight",
    ),
    Bug(
        "layers.loss:TiedCrossEntropy.backward",
        "self.embedding.dweight",
        "self.embedding.dweight * 0",
        "model",
        "wte.weight",
    ),
]

COMPOSITES = [
    Bug("layers.gelu:GELU.forward", "self.keep(slope)", "self.keep(y)", "feedforward", "c_fc.weight, c_fc.bias, input"),
    Bug(
        "layers.feedforward:FeedForward.backward",
        "self.act.backward(",
        "(",
        "feedforward",
        "c_fc.weight, c_fc.bias, input",
    ),
    Bug(
        "layers.layernorm:LayerNorm.backward",
        "self.dweight, self.dbias",
        "self.dbias, self.dweight",
        "block",
        "ln_1.weight, ln_1.bias",
    ),
    Bug("model.block:Block.forward", "return h + ", "return x + ", "block", "attn.c_attn.weight, input"),
    Bug(
        "model.block:Block.forward",
        "h + self.mlp.forward(self.ln_2.forward(h))",
        "self.ln_2.forward(h + self.mlp.forward(h))",
        "block",
        "input",
    ),
    Bug(
        "model.block:Block.backward",
        "dy + self.ln_2.backward(self",
        "self.ln_2.backward(dy + self",
        "block",
        "input, attn.c_attn.weight",
    ),
    Bug("model.block:Block.backward", "dh + self.ln_1.backward(self", "self.ln_1.backward(dh + self", "block", "input"),
    Bug("model.block:Block.backward", "return dh + ", "return ", "block", "input"),
    Bug(
        "model.block:Block.backward",
        "self.attn.backward(dh)",
        "self.attn.backward(dy)",
        "block",
        "input, attn.c_attn.weight",
    ),
    Bug("model.gpt:GPT.backward", "reversed(self.h)", "self.h", "model", "wte.weight, h.0.ln_1.weight"),
    Bug("model.gpt:GPT.backward", "dx.sum(0)", "dx.mean(0)", "model", "wpe.weight"),
    Bug("model.gpt:GPT.backward", "dx.sum(0)", "dx[0]", "model", "wpe.weight"),
    Bug("model.gpt:GPT.backward", "self.wte.backward(dx)", "pass", "model", "wte.weight"),
    Bug("model.gpt:GPT.backward", "    dx = self.drop.backward(dx)\n", "", "model-dropout", "wte.weight, wpe.weight"),
    Bug("model.gpt:GPT.final_states", "ids) + self", "ids) - self", "model", "wpe.weight"),
]

OPTIMIZER = [
    Bug("training.optimizer:adamw_update", "m += (1 - beta1) * (g - m)", "m += (1 - beta1) * g", "adamw", "w, m"),
    Bug("training.optimizer:adamw_update", "(g * g - v)", "(abs(g) - v)", "adamw", "w, v"),
    Bug("training.optimizer:adamw_update", "(1 - beta2) *", "(1 - beta1) *", "adamw", "w, v"),
    Bug("training.optimizer:adamw_update", "m / (1 - beta1**t)", "m", "adamw", "w"),
    Bug("training.optimizer:adamw_update", "v / (1 - beta2**t)", "v / (1 - beta2)", "adamw", "w"),
    Bug("training.optimizer:adamw_update", "np.sqrt(vhat)", "vhat", "adamw", "w"),
    Bug("training.optimizer:adamw_update", "weight_decay * w)", "weight_decay)", "adamw", "w"),
    Bug("training.optimizer:adamw_update", "w -= lr * (mhat", "w -= (lr * mhat", "adamw", "w"),
    Bug("training.optimizer:squared_norm", "(x * x).sum()", "abs(x).sum()", "adamw", "squared norm"),
]

KERNELS = [
    Bug("kernels.cpu.attention:future", "dtype), 1)", "dtype), 2)", "attention", "y, dq, dk, dv"),
    Bug("kernels.cpu.attention:hide", "u - t :] +=", "u - t :] -=", "attention", "y, dq, dk, dv"),
    Bug("kernels.cpu.attention:attention_backward", "        dq[group] *= scale\n", "", "attention", "dq"),
    Bug(
        "kernels.cpu.attention:attention_backward",
        "            dp -= delta[here]\n",
        "",
        "attention-one-head",
        "dq, dk",
    ),
    Bug(
        "kernels.cpu.attention:attention",
        "total *= 1 - p_drop",
        "total /= 1 - p_drop",
        "attention-dropout",
        "y, dq, dk",
    ),
    Bug("kernels.cpu.gelu:gelu_and_slope", "np.subtract(1, slope,", "np.subtract(1, y,", "gelu", "dx"),
    Bug("kernels.cpu.layernorm:layernorm", "y @ mean + eps", "y @ mean", "layernorm-near-eps", "y, dx, dweight"),
    Bug("kernels.cpu.layernorm:layernorm_backward", "dweight += dw", "dweight[...] = dw", "layernorm", "dweight"),
    Bug(
        "kernels.cpu.loss:backward_with_share",
        "-= share / counted.sum()",
        "-= share",
        "tied-cross-entropy",
        "dx, dweight",
    ),
    Bug("kernels.cpu.cross_attention:masked", "s += mask", "s -= mask", "cross-attention", "y, dq, dk, dv"),
    Bug(
        "kernels.cpu.cross_attention:cross_attention",
        "= m + np.log(total)",
        "= np.log(total)",
        "cross-attention",
        "dq, dk, dv",
    ),
    Bug(
        "kernels.cpu.cross_attention:cross_attention_backward",
        "        dq[group] *= scale\n",
        "",
        "cross-attention",
        "dq",
    ),
    Bug("kernels.cpu.relu:relu_backward", "multiply(dy, x > 0", "multiply(dy, dy > 0", "relu", "dx"),
    Bug(
        "kernels.cpu.smoothing:smoothed_cross_entropy",
        "* favour.mean",
        "* -favour.mean",
        "smoothed-cross-entropy",
        "loss",
    ),
    Bug(
        "kernels.cpu.smoothing:smoothed_cross_entropy_backward",
        "weight, dweight, 1 - smoothing",
        "weight, dweight, 1",
        "smoothed-cross-entropy",
        "dx, dweight",
    ),
    Bug(
        "kernels.cpu.smoothing:smoothed_cross_entropy_backward",
        "smoothing / (V * N)",
        "smoothing / V",
        "smoothed-cross-entropy",
        "dweight",
    ),
    Bug("kernels.cpu.products:add_product", "out += np", "out[...] = np", "linear", "dweight, dbias"),
    Bug(
        "kernels.cpu.optimizer:adamw_update", "np.multiply(g, g, out=update)", "np.abs(g, out=update)", "adamw", "w, v"
    ),
]

TRANSFORMER = [
    Bug("layers.cross_attention:cross_attention", " * scale", "", "cross-attention", "q, k"),
    Bug("layers.cross_attention:cross_attention", "np.where(total == 0, 1, total)", "5", "cross-attention", "q, k"),
    Bug(
        "layers.cross_attention:cross_attention_backward", ").swapaxes(-1, -2) @ do", ").swapaxes(-1, -2) @ abs(do)",
        "cross-attention", "v",
    ),
    Bug(
        "layers.cross_attention:cross_attention_backward", "drop(p, dropped, p_drop).swap", "p.swap",
        "cross-attention-dropout", "v",
    ),
    Bug(
        "layers.cross_attention:cross_attention_backward", "drop(do @ v.swapaxes(-1, -2), dropped, p_drop)",
        "do @ v.swapaxes(-1, -2)", "cross-attention-dropout", "q, k",
    ),
    Bug(
        "layers.cross_attention:cross_attention_backward", " - (dp * p).sum(-1, keepdims=True)", "",
        "cross-attention", "q, k",
    ),
    Bug("layers.cross_attention:cross_attention_backward", "ds @ k * scale", "ds @ k", "cross-attention", "q"),
    Bug("layers.cross_attention:cross_attention_backward", "[dk, dv]", "[dv, dk]", "cross-attention", "k, v"),
    Bug(
        "layers.smoothing:smoothed_cross_entropy", ".mean(-1).mean()", ".sum(-1).mean()",
        "smoothed-cross-entropy", "x",
    ),
    Bug(
        "layers.smoothing:smoothed_cross_entropy", "(1 - smoothing) * nll", "nll",
        "smoothed-cross-entropy", "x, weight",
    ),
    Bug(  # padding is smoothed too
        "layers.smoothing:smoothed_cross_entropy_backward", "dlogits[surprise.places] -=", "dlogits -=",
        "smoothed-cross-entropy", "x, weight",
    ),
    Bug(
        "layers.smoothing:smoothed_cross_entropy_backward", "smoothing / (V * N)", "smoothing / (V - 1) / N",
        "smoothed-cross-entropy", "x, weight",
    ),
    Bug(
        "layers.sinusoids:PlacedEmbedding.backward", " * math.sqrt(dy.shape[-1])", "", "transformer", "table.weight"
    ),
    Bug("model.transformer_blocks:EncoderBlock.backward", "dn + dmemory", "dn", "transformer", "table.weight"),
    Bug("model.transformer_blocks:EncoderBlock.backward", "dn + dmemory", "dmemory", "transformer", "table.weight"),
    Bug("model.transformer_blocks:PostNorm.enter_backward", "g + dn", "dn", "transformer", "table.weight"),
    Bug(
        "model.transformer_blocks:PreNorm.enter_backward", "g + self", "self", "transformer-pre-norm", "table.weight"
    ),
    Bug(  # only the first block's reading of the memory counts
        "model.transformer:Transformer.backward", "dmemory + part", "part", "transformer", "encoder.1.mlp.c_proj.bias"
    ),
    Bug("model.transformer:Transformer.backward", "self.read.backward(", "abs(", "transformer", "table.weight"),
    Bug("model.transformer:Transformer.backward", "self.write.backward(dx)", "None", "transformer", "table.weight"),
]  # fmt: skip

CLASSIFIER = [
    Bug(  # not divided
        "layers.masked_mean:masked_mean_backward", "share[:, :, None] *", "(share[:, :, None] > 0) *",
        "masked-mean", "x",
    ),
    Bug("layers.masked_mean:masked_mean_backward", "share[:, :, None] *", "share[:, ::-1, None] *", "masked-mean", "x"),
    Bug(  # divided by S, padding too
        "layers.masked_mean:masked_mean_backward", "return share[:, :, None]",
        "return (0 * share[:, :, None] + 1 / share.shape[1])",
        "masked-mean", "x",
    ),
    Bug("model.classifier:Classifier.backward", "self.read.backward(", "abs(", "classifier", "table.weight"),
    Bug("model.transformer_blocks:encode_backward", "reversed(blocks)", "blocks", "classifier", "table.weight"),
]  # fmt: skip

ONLY_SEEN_BY_OTHERS = [
    Bug("config:GPTConfig.attention_scale", "self.n_embd // self.n_head", "self.n_embd"),
    Bug("config:GPTConfig.attention_scale", "if self.scale_attn_weights", "if not self.scale_attn_weights"),
    Bug("layers.layernorm:LayerNorm.__init__", "self.eps = eps", "self.eps = 1e-6"),
    Bug("model.gpt:GPT.final_states", "np.arange(T)", "np.arange(T)[::-1]"),
    Bug("layers.cross_attention:cross_attention", "-np.inf, s)", "s, s)"),
    Bug("layers.cross_attention:cross_attention", "padding[:, None", "~padding[:, None"),
    Bug("layers.masked_mean:masked_mean", "(~padding)", "(padding | ~padding)"),  # padding counts
    Bug("layers.masked_mean:masked_mean", "there.sum(-1, keepdims=True)", "padding.shape[-1]"),  # divided by S
    Bug("layers.masked_mean:masked_mean", "(~padding)", "padding"),
    Bug("model.classifier:Classifier.logits", "ids == PAD", "ids < PAD"),
    Bug("layers.sinusoids:sinusoids", "channels // 2 * 2", "channels"),
    Bug("layers.sinusoids:sinusoids", "channels % 2 == 0", "channels < C // 2"),
    Bug("model.transformer:Transformer.loss", "== PAD", "== END"),
    Bug("model.transformer:Transformer.loss", "tgt[:, :-1]", "tgt[:, 1:]"),
    Bug("model.transformer_blocks:DecoderBlock.decode", "k, v, padding)", "k, v, None)"),
]

BUGS = [
    *LINEAR, *EMBEDDING, *LAYERNORM, *ACTIVATIONS, *DROPOUT, *ATTENTION, *LOSS, *COMPOSITES, *OPTIMIZER, *KERNELS,
    *TRANSFORMER,
    *CLASSIFIER,
    *ONLY_SEEN_BY_OTHERS,
]  # fmt: skip


def inject(bug, monkeypatch):
    """Put the edited function in the place of the right one, in every module that imported it, until the test ends."""
    module_name, _, path = bug.where.partition(":")
    module = importlib.import_module(f"numgpt.{module_name}")
    *owner, name = path.split(".")
    right = getattr(getattr(module, owner[0]) if owner else module, name)
    source = textwrap.dedent(inspect.getsource(right))
    assert source.count(bug.text) == 1, f"{bug.text!r} stands {source.count(bug.text)} times in {bug.where}"
    edited = source.replace(bug.text, bug.instead)
    if owner:
        edited = edited.replace("super()", f"super({owner[0]}, self)")
    made = {}
    exec(compile(edited, bug.where, "exec"), vars(module), made)
    if owner:
        monkeypatch.setattr(getattr(module, owner[0]), name, made[name])
        return
    for other in [module for key, module in sys.modules.items() if key.startswith(("numgpt", "test_", "tests"))]:
        for key, value in list(vars(other).items()):
            if value is right:
                monkeypatch.setattr(other, key, made[name])
    monkeypatch.setattr(kernels, "namesake", kernels.namesake.__wrapped__)  # it would remember
