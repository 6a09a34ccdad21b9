"""A Transformer compared with the numbers that PyTorch computed of one."""

import json

import numpy as np

from numgpt import Transformer, TransformerConfig
from numgpt.model import TransformerCache

NAMES = ["post-norm", "pre-norm"]
TINY_RUN = {
    "vocab_size": 280,
    "n_layer": 1,
    "n_head": 2,
    "n_embd": 8,
    "batch_tokens": 60,
    "accumulate": 2,
    "dropout": 0.3,
    "max_steps": 12,
    "warmup": 4,
    "lr": 1e-2,
    "eval_every": 5,
    "save_every": 10,
    "val_fraction": 0.1,
    "ema": 0.9,
}  # settings of a run, of an encoder or of both, that takes milliseconds


def read(folder, device="cpu"):
    """(model in float64, PyTorch's numbers) of a folder with config.json and expected.npz."""
    expected = dict(np.load(folder / "expected.npz"))
    config = TransformerConfig(**json.loads((folder / "config.json").read_text("utf-8")))
    weights = {name.removeprefix("weights/"): value for name, value in expected.items() if name.startswith("weights/")}
    return Transformer.from_pytorch(config, weights, device=device), expected


def check(folder, device="cpu", to_host=np.asarray):
    """Memory, logits, both losses, every gradient, and what is written greedily."""
    model, expected = read(folder, device)
    src, tgt = expected["src"], expected["tgt"]
    assert np.abs(to_host(model.encode(src)) - expected["memory"])[src != 0].max() < 1e-12
    assert np.abs(to_host(model.forward(src, tgt[:, :-1])) - expected["logits"])[tgt[:, 1:] != 0].max() < 1e-12
    assert abs(model.loss(src, tgt, label_smoothing=0.0) - expected["plain_loss"]) < 1e-12
    assert abs(model.loss(src, tgt) - expected["loss"]) < 1e-12
    model.zero_grad()
    model.backward()
    for name, found in model.to_pytorch(gradients=True).items():
        correct = expected[f"grad/{name}"]
        assert np.linalg.norm(found - correct) < 1e-11 * max(np.linalg.norm(correct), 1e-3), name
    greedy = expected.get("greedy", expected.get("greedy_without_stop"))
    assert np.array_equal(written(model, src, greedy.shape[1], to_host), greedy)


def written(model, src, n, to_host=np.asarray):
    """The likeliest tokens, (B, n), from the begin mark on."""
    cache = TransformerCache(model, src)
    ids = np.ones((len(src), 1), int)
    while ids.shape[1] < n:
        likeliest = to_host(model.decode(ids[:, -1:], cache)).argmax(-1)
        ids = np.concatenate([ids, likeliest[:, None]], axis=1)
    return ids
