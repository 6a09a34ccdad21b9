"""A tiny GPT-2 with weights of order one, written by TensorFlow and by transformers: what PyTorch computed with it.

Logits and gradients are compared where the formats are, in test_loading.py.
"""

import numpy as np
import pytest

import numgpt
from numgpt.training import AdamW


@pytest.fixture(params=["hf", "tf"])
def model(golden, request):
    return numgpt.load(golden / "tiny-gpt2" / request.param, dtype="float64")[0]


@pytest.fixture(scope="module")
def expected(golden):
    return np.load(golden / "tiny-gpt2/expected.npz")


def test_greedy_continuations(model, expected):
    new = expected["greedy"].shape[1] - expected["prompts"].shape[1]
    found = numgpt.generate(model, expected["prompts"], max_new_tokens=new, temperature=0)
    assert np.array_equal(found, expected["greedy"])


def test_ten_steps_of_adamw(model, expected):
    optimizer = AdamW(model, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    for theirs in expected["adamw_losses"]:
        model.zero_grad()
        assert model.loss(expected["ids"], expected["targets"]) == pytest.approx(float(theirs), abs=1e-9)
        model.backward()
        optimizer.step()
