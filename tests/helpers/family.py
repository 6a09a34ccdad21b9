"""GPT-2's family, written by transformers: whether logits, loss and gradients are what PyTorch computed in float64."""

import numpy as np

import numgpt

OWN = "exact-gelu relu swish quick-gelu pytorch-tanh unscaled by-layer untied everything-in-shards"
ORACLES = (
    "all-at-once bfloat eps-1e-6 erf-gelu half inverse-layer-scale relu sharded tanh-gelu-named-pytorch "
    "unscaled-attention untied-head wide-inner"
)
ALL = [*(f"golden {name}" for name in OWN.split()), *(f"shared {name}" for name in ORACLES.split())]


def check(folder, device="cpu", to_host=np.asarray):
    """Assert that logits and loss are those of expected.npz to 1e-9, gradients to 1e-8 of the largest in each."""
    expected = np.load(folder / "expected.npz")
    ids, targets = (expected[name] for name in (("ids", "targets") if "ids" in expected else ("x", "y")))
    model, _ = numgpt.load(folder, dtype="float64", device=device)
    assert np.abs(to_host(model.forward(ids)) - expected["logits"]).max() < 1e-9
    assert abs(model.loss(ids, targets) - expected["loss"]) < 1e-9
    model.backward()
    gradients = {f"grad/{name}": to_host(grad) for name, _, grad in model.named_parameters()}
    assert gradients.keys() == {name for name in expected if name.startswith("grad/")}
    for name, grad in gradients.items():
        assert np.abs(grad - expected[name]).max() <= 1e-8 * np.abs(expected[name]).max(), name
