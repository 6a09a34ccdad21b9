"""Blocks that go forward twice: the same gradients to the last bit, and less is kept."""

import numpy as np
import pytest

from numgpt import GPT, GPTConfig
from numgpt.kernels import use_kernels

CONFIG = GPTConfig(n_vocab=40, n_ctx=16, n_embd=24, n_head=3, n_layer=3, dropout=0.2)
IDS, TARGETS = np.random.default_rng(0).integers(0, CONFIG.n_vocab, (2, 2, 16))


def two_steps(model):
    """Losses and gradients of two backward passes, and where the generator is then."""
    model.train()
    losses = []
    for _ in range(2):
        losses.append(model.loss(IDS, TARGETS))
        model.backward()
    return losses, model.grads.tobytes(), model.rng.bit_generator.state


@pytest.mark.parametrize("kind", ["plain", "fast"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_gradients_are_the_same_to_the_last_bit(kind, dtype):
    with use_kernels(kind):
        assert two_steps(GPT(CONFIG, 1, dtype, recompute=True)) == two_steps(GPT(CONFIG, 1, dtype))


def test_dropout_is_drawn_at_all():
    model = GPT(CONFIG, 1, recompute=True)
    assert model.eval().loss(IDS, TARGETS) != model.train().loss(IDS, TARGETS)


def test_a_block_keeps_its_input_only():
    model = GPT(CONFIG, 1, recompute=True).train()
    model.loss(IDS, TARGETS)
    kept = [name for name, layer in model.named_layers() if layer.kept is not None and name.startswith("h.")]
    assert kept == ["h.0", "h.1", "h.2"]
    (x, _), _ = model.h[0].kept
    assert x.shape == (2, 16, 24)
    model.backward()
    assert all(layer.kept is None for _, layer in model.named_layers() if layer is not model.head)


def test_names_logits_and_saving_are_as_ever(tmp_path):
    model, other = GPT(CONFIG, 1, recompute=True), GPT(CONFIG, 1)
    assert [name for name, *_ in model.named_parameters()] == [name for name, *_ in other.named_parameters()]
    assert (model.forward(IDS) == other.forward(IDS)).all()
    with pytest.raises(RuntimeError, match=r"RecomputedBlock.backward\(\) has no forward pass"):
        model.h[0].backward(np.zeros((1, 2, 24), np.float32))
