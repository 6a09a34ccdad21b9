"""Layer by layer against a small GPT that others trained, with every intermediate value they recorded.

The model comes from bbycroft/llm-viz: it sorts letters, its head is not tied, and its matrices are stored (out, in).
"""

import base64
import json

import numpy as np
import pytest

from numgpt import use_kernels
from numgpt.layers import GELU, Attention, Embedding, LayerNorm, Linear
from numgpt.layers.attention import attention, heads, merge


def read(path):
    """name -> float32 array, from base64 of little-endian floats."""
    tensors = json.loads(path.read_text())
    return {
        name: np.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
        for name, tensor in tensors.items()
        if "data" in tensor
    }


@pytest.fixture(scope="module")
def weights(shared):
    return read(shared / "oracles/llm-viz-nano/gpt-nano-sort-model.json")


@pytest.fixture(scope="module")
def recorded(shared):
    return read(shared / "oracles/llm-viz-nano/gpt-nano-sort-t0-partials.json")


def filled(layer, weights, name):
    """`layer` with the weights recorded under `name`; a Linear's are turned from (out, in) to (in, out)."""
    layer.allocate("float32")
    for path, value, _ in layer.named_parameters():
        stored = weights[f"{name}.{path}"]
        turned = stored.ndim == 2 and not isinstance(layer, Embedding)
        value[...] = stored.T if turned else stored
    return layer


def assert_close(computed, expected, name):
    assert computed.shape == expected.shape, name
    assert np.abs(computed - expected).max() < 1e-5, name


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_every_recorded_value(weights, recorded, kind):
    with use_kernels(kind):
        check_model(weights, recorded)


def check_model(weights, recorded):
    ids = recorded["idx"].astype(int)
    T, C, H = ids.shape[1], 48, 3
    token = filled(Embedding(3, C), weights, "transformer.wte").forward(ids)
    position = filled(Embedding(11, C), weights, "transformer.wpe").forward(np.arange(T))
    assert_close(token, recorded["tok_emb"], "tok_emb")
    assert_close(position[None], recorded["pos_emb"], "pos_emb")
    x = token + position
    assert_close(x, recorded["x"], "x")

    for i in range(3):
        name = f"transformer.h.{i}."
        seen = check_block(x, weights, name, H)
        if i == 0:
            for key, value in seen.items():
                assert_close(value, recorded[key], key)
        x = seen["mlpResid"]
        assert_close(x, recorded[f"block{i}"], f"block{i}")

    x = filled(LayerNorm(C), weights, "transformer.ln_f").forward(x)
    assert_close(x, recorded["ln_f"], "ln_f")
    head = Linear(C, 3).allocate()
    head.weight[...] = weights["lm_head.weight"].T
    logits = head.forward(x)
    assert_close(logits, recorded["lm_head"], "lm_head")
    assert_close(softmax(logits), recorded["probs"], "probs")


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def check_block(x, weights, name, n_head):
    """All values inside a block, under the names in which they were recorded, from our layers.

    The probabilities are what the definition of attention keeps; its kernels keep none.
    """
    C = x.shape[-1]
    attn = filled(Attention(C, n_head), weights, name + "attn")
    seen = {"ln1": filled(LayerNorm(C), weights, name + "ln_1").forward(x)}
    seen["qkv"] = attn.c_attn.forward(seen["ln1"])
    seen["q"], seen["k"], seen["v"] = np.split(heads(seen["qkv"], 3 * n_head), 3, axis=1)
    seen["y"] = merge(attention(seen["q"], seen["k"], seen["v"], attn.scale)[0])
    seen["yProj"] = attn.forward(seen["ln1"])
    with use_kernels("plain"):
        attn.forward(seen["ln1"])
    seen["attSm"] = attn.kept.p
    seen["attnResid"] = x + seen["yProj"]
    seen["ln2"] = filled(LayerNorm(C), weights, name + "ln_2").forward(seen["attnResid"])
    seen["fc"] = filled(Linear(C, 4 * C), weights, name + "mlp.c_fc").forward(seen["ln2"])
    seen["gelu"] = GELU().forward(seen["fc"])
    seen["mlp"] = filled(Linear(4 * C, C), weights, name + "mlp.c_proj").forward(seen["gelu"])
    seen["mlpResid"] = seen["attnResid"] + seen["mlp"]
    return seen


def test_masked_scores(weights, recorded):
    attn = filled(Attention(48, 3), weights, "transformer.h.0.attn")
    with use_kernels("plain"):
        attn.forward(recorded["ln1"])
    assert np.array_equal(attn.kept.p > 0, np.isfinite(recorded["att"]))
    assert np.abs(attn.kept.p - softmax(recorded["att"])).max() < 1e-5
