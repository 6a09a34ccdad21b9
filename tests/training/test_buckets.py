"""A bucket of gradients is sent while backward runs, and not before backward is done with it."""

import time

import numpy as np
import pytest

from numgpt import GPT, GPTConfig, Transformer, TransformerConfig
from numgpt.training.parallel.buckets import Reduction, buckets_of, parts_of, pieces
from numgpt.training.parallel.team import Alone

IDS = np.arange(15).reshape(3, 5) % 11
MODELS = {
    "gpt": lambda: GPT(GPTConfig(n_vocab=11, n_ctx=5, n_embd=8, n_layer=6, n_head=2), seed=1, dtype="float64"),
    "recomputing": lambda: GPT(
        GPTConfig(n_vocab=11, n_ctx=5, n_embd=8, n_layer=6, n_head=2), seed=1, dtype="float64", recompute=True
    ),
    "transformer": lambda: Transformer(
        TransformerConfig(vocab=11, d_model=8, heads=2, d_ff=16, layers=3),
        seed=1,
        dtype="float64",
    ),
}


class Wire(Alone):
    """A team of one that takes the time for looking at what it is given."""

    overlaps = True

    def __init__(self):
        self.taken, self.early = [], 0

    def reduce(self, grads, buckets):
        for bucket in buckets:
            self.taken.append((bucket, grads[bucket].copy()))
            self.early += not self.over()

    over = staticmethod(lambda: False)


@pytest.mark.parametrize("n", [1, 5, 8, 1000, (1 << 25) + 3])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_number_belongs_to_one_process(n, size):
    owner = np.full(n, -1, np.int8)
    for rank in range(size):
        for part in parts_of(n, rank, size):
            assert (owner[part] == -1).all()
            owner[part] = rank
    assert (owner >= 0).all()


def test_buckets_come_from_the_end():
    starts = [bucket.start for bucket in buckets_of(1000)]
    assert len(starts) == 8
    assert starts == sorted(starts, reverse=True)


def test_pieces_follow_each_other():
    parts = parts_of(100, 1, 3)
    own = np.concatenate([np.arange(100)[part] for part in parts])
    assert all(np.array_equal(piece, np.arange(100)[part]) for part, piece in pieces(own, parts))


@pytest.mark.parametrize("name", MODELS)
def test_a_bucket_is_complete_when_it_is_sent(name):
    model, wire = MODELS[name](), Wire()
    reduction = Reduction(model, wire)
    wire.over = lambda: reduction.over
    for _ in range(2):  # the first leaves no trace in the second
        model.zero_grad()
        wire.taken.clear()
        model.loss(IDS, IDS)
        model.backward()
        model.loss(IDS, IDS)
        reduction.begin(0.5)
        model.backward()
        wait(lambda: wire.early > 0)
        reduction.finish()
        wire.early = 0
    expected = MODELS[name]()
    expected.loss(IDS, IDS)
    expected.backward()
    assert sorted(bucket.start for bucket, _ in wire.taken) == sorted(b.start for b in buckets_of(model.grads.size))
    for bucket, gradients in wire.taken:
        np.testing.assert_allclose(gradients, expected.grads[bucket], rtol=1e-13, atol=1e-16)


def wait(reached):
    """Give the second thread time to take what backward has left; it does so before `finish` or never."""
    until = time.monotonic() + 10
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_a_failure_on_the_wire_is_raised():
    class Broken(Wire):
        def reduce(self, grads, buckets):
            raise OSError("the wire is cut")

    model = MODELS["gpt"]()
    reduction = Reduction(model, Broken())
    model.loss(IDS, IDS)
    reduction.begin(1)
    model.backward()
    with pytest.raises(OSError, match="cut"):
        reduction.finish()
