"""A random GPT-2 of the published 124M shape against transformers, in float32. Needs torch and transformers."""

import numpy as np
import pytest

from numgpt import GPT, GPTConfig

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def test_logits_gradients_and_saving_at_the_124m_shape(tmp_path):
    model = GPT(GPTConfig(), seed=7)
    rng = np.random.default_rng(0)
    for _, value, _ in model.named_parameters():  # five times the usual weights, so that the logits are of order ten
        value *= 5 if value.ndim == 2 else 1
        if value.ndim == 1:
            value += 0.1 * rng.standard_normal(value.shape, dtype=np.float32)
    ids, targets = rng.integers(0, model.config.n_vocab, (2, 2, 33))
    model.save(tmp_path)
    theirs = transformers.GPT2LMHeadModel.from_pretrained(tmp_path).eval()

    logits = theirs(torch.from_numpy(ids)).logits
    ours = model.forward(ids)
    assert np.abs(ours).max() > 5
    assert np.abs(ours - logits.detach().numpy()).max() < 1e-4

    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).flatten())
    loss.backward()
    assert model.loss(ids, targets) == pytest.approx(loss.item(), rel=1e-5)
    model.backward()
    gradients = {name.removeprefix("transformer."): p.grad.numpy() for name, p in theirs.named_parameters()}
    for name, _, grad in model.named_parameters():
        error = np.linalg.norm(grad - gradients[name]) / np.linalg.norm(gradients[name])
        assert error < 1e-4, (name, error)
