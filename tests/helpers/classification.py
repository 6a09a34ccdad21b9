"""A Classifier compared with the numbers that PyTorch computed of one."""

import json

import numpy as np

from numgpt import Classifier, TransformerConfig

NAMES = ["post-norm", "pre-norm"]
LABELS = ["north", "east", "south", "west"]


def read(folder, device="cpu"):
    """(model in float64, PyTorch's numbers) of a folder with config.json and expected.npz."""
    expected = dict(np.load(folder / "expected.npz"))
    config = TransformerConfig(**json.loads((folder / "config.json").read_text("utf-8")))
    weights = {name.removeprefix("weights/"): value for name, value in expected.items() if name.startswith("weights/")}
    return Classifier.from_pytorch(config, LABELS, weights, device=device), expected


def check(folder, device="cpu", to_host=np.asarray):
    """Logits, loss and every gradient."""
    model, expected = read(folder, device)
    ids, labels = expected["ids"], expected["labels"]
    assert np.abs(to_host(model.forward(ids)) - expected["logits"]).max() < 1e-12
    assert abs(model.loss(ids, labels) - expected["loss"]) < 1e-12
    model.zero_grad()
    model.backward()
    for name, found in model.to_pytorch(gradients=True).items():
        correct = expected[f"grad/{name}"]
        assert np.linalg.norm(found - correct) < 1e-11 * max(np.linalg.norm(correct), 1e-3), name
