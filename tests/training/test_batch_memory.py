"""A batch that cannot fit is refused before anything is computed; one that can is not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, InputError, backend
from numgpt.config import ACTIVATIONS
from numgpt.training import trainer
from numgpt.training.language import batches_of
from numgpt.training.part import Part
from numgpt.training.settings import Settings
from numgpt.training.trainer import Trainer

ROOT = Path(__file__).parents[2]


def foreseen(monkeypatch, config, B, T, recompute=False):
    """How many bytes a Trainer asks for, without the weights."""
    asked = []
    monkeypatch.setattr(trainer, "check_memory", lambda n_bytes, *_: asked.append(n_bytes))
    model = GPT(config)
    settings = Settings(batch_size=B, context=T, n_embd=config.n_embd, recompute=recompute)
    Trainer(model, batches_of(Part(np.zeros(1000, int)), settings), settings)
    return asked[0] - 4 * model.values.nbytes, model


KEPT = """
import sys, tracemalloc
import numpy as np
from numgpt import GPT, GPTConfig
from numgpt.kernels.cpu.memory import pool
config = GPTConfig(n_vocab=50, n_ctx=64, n_embd=48, n_head=4, n_layer=3, activation=sys.argv[1], n_inner=400)
model, ids = GPT(config).train(), np.zeros((16, 64), int)  # much larger than the scratch of two threads
tracemalloc.start()
model.loss(ids, ids)
print(tracemalloc.get_traced_memory()[0] + pool.in_use)
"""


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_more_is_foreseen_than_is_kept(monkeypatch, activation):
    """In a process of its own, as kernels keep their memory for the next step."""
    config = GPTConfig(n_vocab=50, n_ctx=64, n_embd=48, n_head=4, n_layer=3, activation=activation, n_inner=400)
    n_bytes, _ = foreseen(monkeypatch, config, 16, 64)
    done = subprocess.run([sys.executable, "-c", KEPT, activation], cwd=ROOT, check=True, capture_output=True)
    assert int(done.stdout) / 2 < n_bytes < int(done.stdout)


def test_less_is_foreseen_where_blocks_are_recomputed(monkeypatch):
    config = GPTConfig(n_vocab=50, n_ctx=64, n_embd=48, n_head=4, n_layer=3, n_inner=400)
    n_bytes, _ = foreseen(monkeypatch, config, 8, 64, recompute=True)
    assert n_bytes == 4 * 8 * 64 * (3 * 48 + 5 * 48 + 2 * 400)


def test_a_batch_that_cannot_fit(monkeypatch):
    config = GPTConfig(n_vocab=50, n_ctx=64, n_embd=48, n_head=4, n_layer=3)
    n_bytes, model = foreseen(monkeypatch, config, 8, 64)
    monkeypatch.undo()
    part, settings = Part(np.zeros(1000, int)), Settings(batch_size=8, context=64, n_embd=48)
    for short in 1, 0:
        monkeypatch.setattr(backend, "memory_of", lambda _, n=n_bytes + 4 * model.values.nbytes - short: n)
        if short:
            with pytest.raises(InputError, match="training with 8 sequences of 64 tokens in a batch takes .*: choose"):
                Trainer(model, batches_of(part, settings), settings)
        else:
            Trainer(model, batches_of(part, settings), settings)
