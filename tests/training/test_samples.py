"""When a run shows what the model writes, and that this changes nothing of it."""

import pytest

from numgpt.training import session
from numgpt.training.loop import train


@pytest.mark.parametrize(
    ("every", "shown"), [(0, [0, 5, 10, 15, 20]), (1, [*range(1, 21)]), (7, [7, 14, 20]), (99, [20])]
)
def test_a_sample_every_so_many_steps(begin, quiet, every, shown):
    train(begin(sample_every=every), quiet)
    assert quiet.samples == shown
    assert [record["step"] for record in quiet.evaluations] == [0, 5, 10, 15, 20]


def test_samples_change_nothing_of_the_run(begin, quiet, stop_after, newest, monkeypatch):
    straight = begin("straight")
    monkeypatch.setattr(quiet, "sample", lambda model: straight.sample(model))
    train(straight, quiet)
    here = begin("run", sample_every=3)
    train(here, quiet, stop_after(7))
    here = session.resume(here.run, {"sample_every": 1})
    assert here.settings.sample_every == 1
    train(here, quiet)
    assert newest(here.run)[:2] == newest(straight.run)[:2]
