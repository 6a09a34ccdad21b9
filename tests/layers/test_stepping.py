"""What a reader meets who steps through a backward pass in plain mode: formulas, and nearly nothing else."""

import sys
from pathlib import Path

import numpy as np
import pytest

import numgpt
from numgpt import GPT, GPTConfig

PACKAGE = Path(numgpt.__file__).parent


def lines_of(function):
    """{(file within the package, line)} of all that `function` executes in the package."""
    seen = set()

    def follow(frame, event, _):
        path = Path(frame.f_code.co_filename)
        if PACKAGE not in path.parents:
            return None
        if event == "line":
            seen.add((str(path.relative_to(PACKAGE)), frame.f_lineno))
        return follow

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        function()
    finally:
        sys.settrace(before)
    return seen


@pytest.fixture
def model():
    config = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=1, dropout=0.1)
    return GPT(config, dtype="float64").train()


def test_attention_backward_is_short(model):
    attention, x = model.h[0].attn, np.random.default_rng(0).standard_normal((2, 5, 12))
    with numgpt.use_kernels("plain"):
        attention.forward(x)
        seen = lines_of(lambda: attention.backward(x))
    assert len(seen) <= 60
    assert {file for file, _ in seen} == {
        *("layers/attention.py", "layers/base.py", "layers/dropout.py", "layers/linear.py", "kernels/__init__.py")
    }


def test_a_step_into_backward_lands_in_the_textbook(model):
    ids, targets = np.random.default_rng(0).integers(0, 11, (2, 2, 5))
    with numgpt.use_kernels("plain"):
        model.loss(ids, targets)
        files = {file for file, _ in lines_of(model.backward)}
    assert files <= {file for file in files if file.startswith(("layers/", "model/"))} | {"kernels/__init__.py"}
    assert {"model/gpt.py", "model/block.py", "layers/attention.py", "layers/loss.py"} <= files
