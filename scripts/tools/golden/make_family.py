"""Have transformers write tests/golden/family, one folder per configuration, each with an expected.npz in float64.

Usage: python scripts/tools/golden/make_family.py (with torch and transformers; made with 2.13 and 5.24)

Each folder has config.json and model.safetensors (float32; one is in shards) and expected.npz:
    ids, targets        (2, 5) ints
    logits              (2, 5, 13)
    loss                their mean cross-entropy
    grad/<name>         the loss's gradient, for every parameter, as numgpt names it
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from transformers import GPT2Config, GPT2LMHeadModel

FOLDER = Path(__file__).parents[3] / "tests" / "golden" / "family"
SIZES = {"vocab_size": 13, "n_positions": 6, "n_embd": 6, "n_head": 2, "n_layer": 2}
DROPOUTS = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
CONFIGURATIONS = {
    "exact-gelu": {"activation_function": "gelu"},
    "relu": {"activation_function": "relu"},
    "swish": {"activation_function": "swish"},
    "quick-gelu": {"activation_function": "quick_gelu"},
    "pytorch-tanh": {"activation_function": "gelu_pytorch_tanh", "reorder_and_upcast_attn": True},
    "unscaled": {"scale_attn_weights": False},
    "by-layer": {"scale_attn_by_inverse_layer_idx": True, "layer_norm_epsilon": 1e-3},
    "untied": {"tie_word_embeddings": False},
    "everything-in-shards": {
        "activation_function": "gelu",
        "n_inner": 10,
        "layer_norm_epsilon": 1e-6,
        "tie_word_embeddings": False,
        "scale_attn_by_inverse_layer_idx": True,
    },
}


def make(name, changes, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    config = GPT2Config(**SIZES, **DROPOUTS, bos_token_id=None, eos_token_id=None, **changes)
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.4 * torch.randn_like(parameter)
    model.save_pretrained(folder, max_shard_size="3KB" if name.endswith("shards") else "5GB")
    (folder / "generation_config.json").unlink()
    model.double()
    tokens = torch.randint(0, SIZES["vocab_size"], (2, 6))
    ids, targets = tokens[:, :-1], tokens[:, 1:]
    logits = model(ids).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    gradients = {
        "grad/" + name.removeprefix("transformer."): value.grad.numpy() for name, value in model.named_parameters()
    }
    expected = {"ids": ids, "targets": targets, "logits": logits.detach(), "loss": loss.detach(), **gradients}
    np.savez_compressed(folder / "expected.npz", **expected)
    print(f"{name}: loss {loss.item():.3f}")


def main():
    for seed, (name, changes) in enumerate(CONFIGURATIONS.items()):
        make(name, changes, seed)


if __name__ == "__main__":
    main()
