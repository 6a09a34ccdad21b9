"""Folders of models with something wrong in one of their files: InputError, in one line, or a model that works."""

import random
import shutil

import numpy as np
import pytest

import numgpt
from damage import CASES, answer, damage
from numgpt.errors import InputError

IDS = np.array([[1, 2, 3]])


@pytest.mark.parametrize("layout", ["tiny-gpt2/hf", "tiny-gpt2/tf", "family/everything-in-shards"])
def test_any_damage_is_an_input_error_or_a_model(layout, golden, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(golden / layout, folder)
    files = sorted(path for path in folder.iterdir() if path.name != "expected.npz")
    whole = {path: path.read_bytes() for path in files}
    rng, n_loaded = random.Random(3), 0
    for _ in range(CASES):
        path = rng.choice(files)
        if rng.random() < 0.05:
            path.unlink()
        else:
            path.write_bytes(damage_head(whole[path], rng))
        found = answer(lambda: numgpt.load(folder))
        if found is not None:
            n_loaded += 1
            works(found[0])
        path.write_bytes(whole[path])
    assert 0 < n_loaded < CASES


def damage_head(data, rng):
    """Damage the file anywhere, or, as most of it is numbers, in its first kilobyte."""
    n = rng.choice([len(data), 1024, 64])
    return damage(data[:n], rng) + data[n:]


def works(model):
    """Logits of the right shape; ids that a smaller vocabulary lacks, and weights that overflow, are said so."""
    with np.errstate(all="ignore"):
        try:
            logits = model.forward(IDS)
        except InputError:
            return
    assert logits.shape == (1, 3, model.config.n_vocab)
