"""A run that takes milliseconds."""

import pytest

from numgpt.files import newest_checkpoint
from numgpt.tokenizer import BPETokenizer
from numgpt.training import session, state
from numgpt.training.loop import train
from numgpt.training.settings import Settings

TINY = {
    "n_layer": 2,
    "n_head": 2,
    "n_embd": 8,
    "context": 8,
    "batch_size": 3,
    "accumulate": 2,
    "dropout": 0.3,
    "max_steps": 20,
    "warmup": 4,
    "lr": 1e-2,
    "eval_every": 5,
    "eval_batches": 2,
    "save_every": 10,
    "ema": 0.9,
}


class Quiet:
    """A report that only remembers what it was told."""

    def __init__(self):
        self.steps, self.evaluations, self.samples = [], [], []

    def step(self, record):
        self.steps.append(record)

    def evaluated(self, record):
        self.evaluations.append(record)

    def sample(self, model):
        assert not model.training
        self.samples.append(len(self.steps))


@pytest.fixture
def quiet():
    return Quiet()


@pytest.fixture
def byte_folder(tmp_path):
    """A tokenizer whose tokens are the 256 bytes."""
    folder = tmp_path / "bytes"
    folder.mkdir()
    BPETokenizer([bytes([i]) for i in range(256)], {}).save(folder)
    return folder


@pytest.fixture
def settings(byte_folder):
    """A function: Settings of a run of 20 steps, some of them changed."""
    return lambda **changed: Settings(**{**TINY, "tokenizer": str(byte_folder), **changed})


@pytest.fixture
def begin(tmp_path, text_file, settings):
    """A function: a new Session in the folder `name`."""
    return lambda name="run", **changed: session.begin(tmp_path / name, text_file, settings(**changed))


@pytest.fixture
def stop_after():
    """A function: what to pass as `stopped` so that the loop ends after n of its steps."""

    def stop_after(n):
        asked = iter(range(1, n + 1))
        return lambda: next(asked) == n

    return stop_after


@pytest.fixture
def finish():
    """A function: take all the steps of a session; return the arrays that they end with."""

    def finish(begun):
        train(begun, Quiet())
        return arrays(begun.run)

    return finish


def arrays(run):
    """The bytes of the newest checkpoint's two files of numbers, and its state."""
    checkpoint = newest_checkpoint(run)
    return [(checkpoint / name).read_bytes() for name in ("model.safetensors", state.ARRAYS, state.STATE)]


@pytest.fixture
def newest():
    return arrays
