"""The checkpoint with the lowest loss on held-out text is kept, found, and what patience goes by."""

import errno
import json

import numpy as np
import pytest

from numgpt import checkpoint
from numgpt.errors import InputError
from numgpt.files import BEST, LATEST, choose_checkpoint, newest_checkpoint
from numgpt.loading import load
from numgpt.training import evaluate, loop, metrics, plot, session, state
from numgpt.training.best import Best, after
from numgpt.training.loop import train

FALLING_THEN_RISING = {0: 6.0, 5: 5.0, 10: 3.0, 15: 4.0, 20: 4.5, 25: 3.5, 30: 3.6, 35: 2.5, 40: 2.6}


@pytest.fixture
def losses(monkeypatch):
    """A function: have a Session find these losses on held-out text (step -> nats per token)."""

    def losses(begun, by_step=FALLING_THEN_RISING):
        def loss(*_):
            return evaluate.Loss(by_step[begun.trainer.steps] * 10, 10, 20)

        monkeypatch.setattr(begun.held_out, "loss", loss)
        return begun

    return losses


def steps(run):
    return [int(path.name[5:]) for path in state.checkpoints(run)]


def lowest(run):
    evaluated = [record for record in metrics.read(run) if "val_loss" in record]
    return min(evaluated, key=lambda record: record["val_loss"])["step"]


def test_what_is_better():
    first = after(None, 0, 6.0, counts=True)
    assert first == Best(0, 6.0, 0)
    assert after(first, 5, 6.0, counts=True) == Best(0, 6.0, 1)
    assert after(first, 5, 6.5, counts=False) == first
    assert after(Best(0, 6.0, 3), 5, 5.9, counts=False) == Best(5, 5.9, 0)


def test_the_best_is_kept_beside_the_newest(begin, quiet, losses):
    begun = losses(begin(max_steps=30, save_every=4, keep=2))
    train(begun, quiet)
    assert steps(begun.run) == [10, 28, 30]
    assert choose_checkpoint(begun.run, BEST).name == "step-00000010"
    assert lowest(begun.run) == 10


def test_never_more_than_promised(begin, quiet, losses, monkeypatch):
    begun = losses(begin(max_steps=40, save_every=1, keep=2))
    seen = []
    write = state._write
    monkeypatch.setattr(state, "_write", lambda *all_: (seen.append(len(steps(begun.run))), write(*all_)))
    train(begun, quiet)
    assert max(seen) == 3
    assert steps(begun.run) == [35, 39, 40]


def test_reading_takes_the_best_and_resuming_the_latest(begin, quiet, losses):
    begun = losses(begin(max_steps=30, save_every=4))
    train(begun, quiet)
    best, latest, tenth = (load(begun.run, checkpoint=which)[0].values for which in (None, "latest", "10"))
    assert np.array_equal(best, tenth)
    assert not np.array_equal(best, latest)
    assert session.resume(begun.run, {}).trainer.steps == 30
    with pytest.raises(InputError, match="no checkpoint '11': give best, latest, or one of the steps 10, 28, 30"):
        load(begun.run, checkpoint="11")
    for wrong in "", "../10", "\u0661", "9" * 30:
        with pytest.raises(InputError, match="has no checkpoint"):
            load(begun.run, checkpoint=wrong)
    for other in str(begun.run / "step-00000010"), "shakespeare":
        with pytest.raises(InputError, match="is not the folder of a training run"):
            load(other, checkpoint="best")


def test_a_run_of_an_older_version_gives_its_newest(begin, quiet):
    begun = begin()
    train(begun, quiet)
    (begun.run / BEST).unlink()
    assert choose_checkpoint(begun.run, BEST) == newest_checkpoint(begun.run)
    path = newest_checkpoint(begun.run) / state.STATE
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "best"}))
    assert session.resume(begun.run, {}).trainer.best is None


def test_going_back(begin, quiet, losses, finish, newest):
    straight = losses(begin("straight", max_steps=30, save_every=4))
    train(straight, quiet)
    begun = losses(begin(max_steps=30, save_every=4))
    train(begun, quiet)
    again = losses(session.resume(begun.run, {}, which="best"))
    assert again.trainer.steps == 10
    assert steps(begun.run) == [10]
    assert (begun.run / LATEST).read_text() == (begun.run / BEST).read_text() == "step-00000010\n"
    train(again, quiet)
    assert newest(begun.run) == newest(straight.run)
    assert [record["step"] for record in metrics.read(begun.run)] == [*range(31)]


def test_going_back_before_the_best(begin, quiet, losses):
    begun = losses(begin(max_steps=40, save_every=4, keep=4))
    train(begun, quiet)
    assert steps(begun.run) == [32, 35, 36, 40]
    again = session.resume(begun.run, {}, which="32")
    assert again.trainer.best == Best(10, 3.0, 4)
    assert not (begun.run / BEST).exists()  # that of step 10 is gone
    assert choose_checkpoint(begun.run, BEST).name == "step-00000032"
    train(losses(again), quiet)
    assert choose_checkpoint(begun.run, BEST).name == "step-00000035"


def test_a_refusal_changes_nothing(begin, quiet, losses):
    begun = losses(begin(max_steps=30, save_every=4))
    train(begun, quiet)
    before = steps(begun.run)
    with pytest.raises(InputError, match="--lr is 5 here"):
        session.resume(begun.run, {"lr": 5}, which="10")
    (begun.run / "step-00000010" / state.ARRAYS).write_bytes(b"\0" * 8)
    with pytest.raises(InputError, match="training.safetensors"):
        session.resume(begun.run, {}, which="10")
    assert steps(begun.run) == before
    assert newest_checkpoint(begun.run).name == "step-00000030"


@pytest.mark.parametrize("full", ["write_safetensors", "save_checkpoint", "flush", "atomic_write", "name_best"])
@pytest.mark.parametrize("step", [12, 15, 35])
def test_a_full_disk_loses_neither(begin, quiet, losses, monkeypatch, full, step, newest):
    begun = losses(begin(max_steps=40, save_every=3, keep=1))

    def fill(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    original = type(begun.trainer).step

    def take(trainer):
        if trainer.steps + 1 == step:
            monkeypatch.setattr(checkpoint if full == "save_checkpoint" else state, full, fill)
        return original(trainer)

    monkeypatch.setattr(type(begun.trainer), "step", take)
    with pytest.raises(OSError, match="No space"):
        train(begun, quiet)
    monkeypatch.undo()
    assert choose_checkpoint(begun.run, BEST).name == "step-00000010"
    for which in BEST, LATEST:
        assert load(begun.run, checkpoint=which)[1] is not None
    again = losses(session.resume(begun.run, {}))
    train(again, quiet)
    assert steps(begun.run) == [35, 40]
    straight = losses(begin("straight", max_steps=40, save_every=3, keep=1))
    train(straight, quiet)
    assert newest(begun.run) == newest(straight.run)


def test_patience(begin, quiet, losses, stop_after):
    begun = losses(begin(max_steps=40, patience=3, save_every=7))
    assert train(begun, quiet)
    assert begun.trainer.out_of_patience
    assert begun.trainer.steps == 25
    assert steps(begun.run) == [10, 21, 25]
    assert session.resume(begun.run, {}).trainer.finished
    longer = losses(session.resume(begun.run, {"patience": 5}))
    train(longer, quiet)
    assert longer.trainer.steps == 40
    assert longer.trainer.best == Best(35, 2.5, 1)


def test_patience_is_not_forgotten_when_a_run_stops(begin, quiet, losses, stop_after):
    begun = losses(begin(max_steps=40, patience=3))
    while not train(begun, quiet, stop_after(3)):
        begun = losses(session.resume(begun.run, {}))
    assert begun.trainer.steps == 25


@pytest.mark.parametrize(
    "best",
    [
        [],
        "x",
        {},
        {"step": 1},
        {"step": -1, "val_loss": 1},
        {"step": 0, "val_loss": 1, "x": 2},
        {"step": 9, "val_loss": 1},
    ],
)
def test_a_best_that_cannot_be(begin, quiet, stop_after, best):
    begun = begin()
    train(begun, quiet, stop_after(3))
    path = newest_checkpoint(begun.run) / state.STATE
    path.write_text(json.dumps({**json.loads(path.read_text()), "best": best}))
    with pytest.raises(InputError, match="best"):
        session.resume(begun.run, {})


def test_what_cannot_hurt_may_change(begin, quiet, stop_after):
    begun = begin()
    train(begun, quiet, stop_after(3))
    changed = {"eval_every": 4, "save_every": 3, "keep": 5, "patience": 7}
    again = session.resume(begun.run, changed)
    assert {name: getattr(again.settings, name) for name in changed} == changed
    train(again, quiet, stop_after(1))
    assert session.resume(begun.run, {}).settings == again.settings


def test_the_curve_has_a_beginning(begin, quiet):
    train(begin(max_steps=70, eval_every=50, accumulate=1), quiet)
    assert [record["step"] for record in quiet.evaluations] == [0, 8, 16, 32, 50, 70]


def test_two_minutes_are_the_longest_between_saves(begin, quiet, monkeypatch):
    clock = iter(range(0, 10**6, 50))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))
    saved = []
    begun = begin(max_steps=10, eval_every=100, save_every=100)
    monkeypatch.setattr(type(begun), "save", lambda self: saved.append(self.trainer.steps))
    train(begun, quiet)
    assert saved[:2] == [0, 3]
    assert len(saved) > 3


def test_the_curve_shows_what_knowing_nothing_costs(begin, quiet, stop_after):
    pytest.importorskip("matplotlib")
    begun = begin()
    train(begun, quiet, stop_after(3))
    plot.draw_losses(begun.run)
    without = (begun.run / plot.NAME).read_text().count("<path")
    plot.draw_losses(begun.run, 256)
    assert (begun.run / plot.NAME).read_text().count("<path") > without
