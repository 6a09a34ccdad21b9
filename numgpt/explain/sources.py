"""Where each formula is computed: file and line of the statement, found in the functions themselves."""

import inspect
from pathlib import Path
from typing import Any

import numgpt
from numgpt.generation import loop, sampling
from numgpt.layers import attention, embedding, gelu, gelu_erf, layernorm, linear, loss, relu, swish
from numgpt.layers.attention import Attention
from numgpt.layers.feedforward import FeedForward
from numgpt.model import GPT, Block
from numgpt.model.cache import LayerCache
from numgpt.tokenizer import bpe
from numgpt.tracing import ablation, result
from numgpt.training import optimizer

ROOT = Path(numgpt.__file__).parents[1]

# key: (formula, function that computes it, a part of the statement)
FORMULAS: dict[str, tuple[str, Any, str]] = {
    "pieces": ("text = piece₁ piece₂ …", bpe.encode, "for piece in"),
    "merge": ("… l r …  →  … lr …    rank(l, r) = min", bpe.next_merge, "return min("),
    "embed": ("x[t,c] = wte[id_t, c] + wpe[t, c]", GPT.final_states, "self.wte.forward"),
    "mean": ("μ = mean_C(x)", layernorm.layernorm, "mu = "),
    "rstd": ("rstd = 1 / √( mean_C((x − μ)²) + ε )", layernorm.layernorm, "rstd = "),
    "xhat": ("x̂ = (x − μ) · rstd", layernorm.layernorm, "xhat = "),
    "norm": ("y = x̂ · weight + bias", layernorm.layernorm, "return"),
    "linear": ("q, k, v = heads( ln_1(x) W_attn + b_attn )", linear.linear, "return"),
    "scores": ("s[t,u] = scale · Σ_d q[t,d] k[u,d]", attention.attention, "s = q @"),
    "mask": ("s[t,u] = −∞   for u > t", attention.attention, "np.where("),
    "softmax": ("p[t,u] = exp(s[t,u]) / Σ_w exp(s[t,w])", attention.attention, "p = p / "),
    "gather": ("o[t,d] = Σ_u p[t,u] v[u,d]", attention.attention, "o = drop"),
    "project": ("attn(x) = merge(o) W_proj + b_proj", Attention.forward, "self.c_proj.forward"),
    "residual": ("h = x + attn( ln_1(x) )", Block.forward, "h = x + "),
    "mlp": ("y = act( x W_fc + b_fc ) W_proj + b_proj", FeedForward.forward, "return"),
    "gelu_new": ("act(f) = f · (1 + tanh(√(2/π)(f + 0.044715 f³))) / 2", gelu.gelu, "return"),
    "gelu": ("act(f) = f · (1 + erf(f/√2)) / 2", gelu_erf.gelu_erf, "return"),
    "relu": ("act(f) = max(f, 0)", relu.relu, "return"),
    "silu": ("act(f) = f · σ(f)", swish.swish, "return"),
    "quick_gelu": ("act(f) = f · σ(1.702 f)", swish.swish, "return"),
    "lens": ("softmax( ln_f(x) wteᵀ )", result.Trace.lens, "self._log_probabilities(x)"),
    "head": ("logits[t,v] = Σ_c ln_f[t,c] wte[v,c]", embedding.tied_head, "return"),
    "repetition": (
        "z ← z / r if z > 0 else z · r,   v ∈ text",
        sampling.penalise_repetition,
        "np.where",
    ),
    "temper": ("z = (z − max z) / temperature", sampling.temper, "return"),
    "top_k": ("z ← z if z ≥ z₍k₎ else −∞", sampling.keep_top_k, "return np.where"),
    "top_p": ("z₍i₎ ← z₍i₎ if i ≤ n else −∞,   n = min m:  p₍1₎ + … + p₍m₎ ≥ top-p", sampling.keep_top_p, "n = min("),
    "min_p": ("z ← z if z ≥ max z + log(min-p) else −∞", sampling.keep_min_p, "return np.where"),
    "draw": ("token = min v:  p₀ + … + p_v > u", sampling.draw, "tokens[b] = "),
    "cache": ("K ← [K; k]    V ← [V; v]", LayerCache.extend, "self.keys[:, :, old"),
    "decode": ("logits = model( last id, cache )", loop.decode, "return model.next_logits"),
    "loss": ("loss = −1/N Σ_t log p[t, target_t]", loss.cross_entropy, "loss = "),
    "dlogits": ("dlogits[t,v] = ( p[t,v] − [v = target_t] ) / N", loss.cross_entropy_backward, "error / N"),
    "dhead": ("dln_f[t,c] = Σ_v dlogits[t,v] wte[v,c]", embedding.tied_head_backward, "return"),
    "dnorm": ("dx = rstd ( g − mean(g) − x̂ mean(g x̂) ),   g = dy · weight", layernorm.layernorm_backward, "return"),
    "dmid": ("dh = dy + ln_2.backward( mlp.backward(dy) )", Block.backward, "dh = dy + "),
    "dx": ("dx = dh + ln_1.backward( attn.backward(dh) )", Block.backward, "return dh + "),
    "do": ("do = heads( d attn(x) W_projᵀ )", Attention.backward, "do = heads("),
    "dv": ("dv[u,d] = Σ_t p[t,u] do[t,d]", attention.attention_backward, "dv = "),
    "dp": ("dp[t,u] = Σ_d do[t,d] v[u,d]", attention.attention_backward, "dp = "),
    "ds": ("ds[t,u] = p[t,u] ( dp[t,u] − Σ_w dp[t,w] p[t,w] )", attention.attention_backward, "ds = "),
    "dq": ("dq[t,d] = scale · Σ_u ds[t,u] k[u,d]", attention.attention_backward, "dq = "),
    "dk": ("dk[u,d] = scale · Σ_t ds[t,u] q[t,d]", attention.attention_backward, "dk = "),
    "dqkv": ("d ln_1(x) = merge( dq, dk, dv ) W_attnᵀ", Attention.backward, "return self.c_attn.backward"),
    "dweight": ("dW = xᵀ dy", linear.linear_backward, "dweight += "),
    "adamw": ("w ← w − lr · m̂ / (√v̂ + ε)", optimizer.adamw_update, "w -= "),
    "ablation": ("change ≈ −Σ dL/do · o", ablation.estimate, "return"),
}


def sources() -> dict[str, dict[str, str]]:
    """key -> formula, where ("numgpt/layers/attention.py:52") and code, the statement there.

    Raises LookupError when a statement is not where FORMULAS says.
    """
    found = {}
    for key, (formula, function, part) in FORMULAS.items():
        lines, first = inspect.getsourcelines(function)
        line = next(
            (n for n, text in enumerate(lines) if part in text and not text.lstrip().startswith(('"""', "#"))), None
        )
        if line is None:
            raise LookupError(f"{function.__qualname__} has no statement with {part!r}, where the formula {key} is")
        path = Path(inspect.getsourcefile(inspect.unwrap(function)) or "").relative_to(ROOT).as_posix()
        found[key] = {"formula": formula, "where": f"{path}:{first + line}", "code": lines[line].strip()}
    return found
