"""What AdamW's CPU kernel does beyond its definition."""

import numpy as np

from numgpt import GPT, GPTConfig
from numgpt.training import AdamW

CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


def test_moments_never_become_denormal():
    model = GPT(CONFIG)
    optimizer = AdamW(model, lr=1e-3, betas=(0.5, 0.5))
    model.grads[...] = np.random.default_rng(0).standard_normal(model.grads.size)
    optimizer.step()
    model.zero_grad()
    for _ in range(400):
        optimizer.step()
    smallest = np.finfo(np.float32).tiny
    assert (np.abs(optimizer.m) >= smallest).all()
    assert (optimizer.v >= smallest).all()
