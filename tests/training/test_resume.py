"""A run that stops and continues is the run that never stopped, bit for bit."""

import json
import shutil

import numpy as np
import pytest

from numgpt import GPT
from numgpt.errors import InputError
from numgpt.files import LATEST, newest_checkpoint
from numgpt.loading import load
from numgpt.training import metrics, session, state
from numgpt.training.loop import train


@pytest.mark.parametrize("changed", [{}, {"ema": 0.0}, {"dtype": "float64"}, {"accumulate": 1, "dropout": 0.0}])
def test_twenty_steps_are_ten_and_ten(begin, finish, newest, quiet, stop_after, changed):
    straight = finish(begin("straight", **changed))
    first = begin("halves", **changed)
    assert not train(first, quiet, stop_after(10))
    second = session.resume(first.run, {})
    assert second.trainer.steps == 10
    assert train(second, quiet)
    assert newest(second.run) == straight


def test_stopping_at_every_step(begin, finish, newest, quiet, stop_after):
    straight = finish(begin("straight"))
    here = begin("often")
    while not train(here, quiet, stop_after(1)):
        here = session.resume(here.run, {})
    assert newest(here.run) == straight


def test_recomputing_changes_nothing(begin, finish, quiet, stop_after):
    """It may be switched on in the middle of a run, and holds from then on."""
    straight = finish(begin("straight"))
    first = begin("recomputed")
    assert not train(first, quiet, stop_after(10))
    second = session.resume(first.run, {"recompute": True})
    assert type(second.trainer.model.h[0]).__name__ == "RecomputedBlock"
    assert not train(second, quiet, stop_after(5))
    third = session.resume(first.run, {})
    assert third.settings.recompute
    weights, *_ = finish(third)
    assert weights == straight[0]


def test_dropout_and_average_have_been_at_work(begin, finish):
    runs = [finish(begin(f"{i}", **changed)) for i, changed in enumerate([{}, {"dropout": 0.0}, {"ema": 0.0}])]
    weights = {run[0] for run in runs}
    assert len(weights) == 3


def test_a_seed_is_a_run(begin, finish):
    a, b, c = (finish(begin(name, seed=seed)) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert a == b
    assert a[0] != c[0]


def test_no_step_stands_twice(begin, quiet, stop_after):
    begun = begin(save_every=7)
    train(begun, quiet, stop_after(10))
    (begun.run / LATEST).write_text("step-00000007\n")
    with open(begun.run / metrics.NAME, "a") as file:
        file.write('{"step": 11, "lo')
    resumed = session.resume(begun.run, {})
    assert resumed.trainer.steps == 7
    train(resumed, quiet)
    records = metrics.read(begun.run)
    assert [record["step"] for record in records] == list(range(21))
    assert all(json.loads(line) for line in (begun.run / metrics.NAME).read_text().splitlines())


def test_resuming_before_the_first_step(begin, finish, newest, quiet, monkeypatch):
    straight = finish(begin("straight"))
    begun = begin()
    monkeypatch.setattr(type(begun.trainer), "step", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(begun, quiet)
    monkeypatch.undo()
    train(session.resume(begun.run, {}), quiet)
    assert newest(begun.run) == straight
    assert [record["step"] for record in metrics.read(begun.run)] == list(range(21))


def test_the_model_of_a_run(begin, quiet, stop_after):
    """A checkpoint of a run holds the averaged weights."""
    begun = begin(save_every=5)
    train(begun, quiet, stop_after(10))
    model, tokenizer = load(begun.run, checkpoint="latest")
    assert np.array_equal(model.values, begun.trainer.average)
    assert not np.array_equal(model.values, begun.trainer.model.values)
    assert tokenizer.decode(tokenizer.encode("7 times 8")) == "7 times 8"
    assert model.config.dropout == 0.3


def test_latest_that_leads_nowhere(begin, quiet, stop_after):
    begun = begin()
    train(begun, quiet, stop_after(1))
    for name in "step-00000009", "../elsewhere", "", "\udcff":
        (begun.run / LATEST).write_bytes(name.encode("utf-8", "surrogateescape"))
        for opens in load, lambda run: session.resume(run, {}):
            with pytest.raises(InputError, match="latest does not name a checkpoint"):
                opens(begun.run)


def test_without_a_checkpoint(tmp_path, begin):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        session.resume(tmp_path / "nowhere", {})
    with pytest.raises(InputError, match="no complete checkpoint yet"):
        session.resume(begin().run, {})


def test_another_configuration(begin, quiet, stop_after):
    begun = begin()
    train(begun, quiet, stop_after(1))
    same = {"lr": 1e-2, "n_layer": 2}
    session.resume(begun.run, same)
    with pytest.raises(InputError, match="--n-layer is 3 here, but 2 in the run; --seed is 4 here, but 0 in the run"):
        session.resume(begun.run, {"lr": 1e-2, "n_layer": 3, "seed": 4})


def test_other_data(begin, quiet, stop_after, text_file):
    begun = begin()
    train(begun, quiet, stop_after(1))
    session.resume(begun.run, {}, text_file)
    text_file.write_text(text_file.read_text() + "x")
    with pytest.raises(InputError, match="text.txt is not the file 'text.txt' that the run began with"):
        session.resume(begun.run, {}, text_file)
    session.resume(begun.run, {})
    tokens = np.load(begun.run / "data" / "train.npy")
    tokens[3] += 1
    np.save(begun.run / "data" / "train.npy", tokens)
    with pytest.raises(InputError, match="train.npy is missing, or is not what the run began with"):
        session.resume(begun.run, {})


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (state.STATE, b"{", "not usable JSON"),
        (state.STATE, b"[]", "expected a JSON object"),
        (state.STATE, b"{}", "not written by this version"),
        (state.STATE, b'{"format": 1, "step": 1}', "the state of the generator for batches is None"),
        (state.ARRAYS, None, "the model can be loaded, but its training cannot be continued"),
        (state.STATE, None, "the model can be loaded, but its training cannot be continued"),
        (state.ARRAYS, b"\0" * 8, "training.safetensors"),
    ],
)
def test_damaged_checkpoints(begin, quiet, stop_after, name, content, reason):
    begun = begin()
    train(begun, quiet, stop_after(1))
    path = newest_checkpoint(begun.run) / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        session.resume(begun.run, {})


def test_generators_that_are_none(begin, quiet, stop_after):
    begun = begin()
    train(begun, quiet, stop_after(1))
    path = newest_checkpoint(begun.run) / state.STATE
    fields = json.loads(path.read_text())
    for generator in None, {"bit_generator": "PCG64"}, {"bit_generator": "MT19937", "state": {}}:
        path.write_text(json.dumps({**fields, "batches": generator}))
        with pytest.raises(InputError, match="the state of the generator for batches"):
            session.resume(begun.run, {})


def test_a_folder_that_holds_a_run(begin, quiet, stop_after, tmp_path):
    with pytest.raises(InputError, match="text.txt is a file"):
        begin("text.txt")
    begun = begin()
    with pytest.raises(InputError, match="without a checkpoint: remove it"):
        begin()
    train(begun, quiet, stop_after(1))
    with pytest.raises(InputError, match="already holds a run: continue it .--resume"):
        begin()


def test_fine_tuning(begin, finish, tmp_path):
    """A model's own tokenizer and shape; the first loss is the one the model had."""
    finish(begin("first", ema=0.0))
    model, _ = load(tmp_path / "first")
    tuned = begin("tuned", init=str(tmp_path / "first"), context=5, n_layer=7, dropout=0.25)
    assert tuned.trainer.model.config.n_ctx == 8
    assert tuned.trainer.model.config.dropout == 0.25
    assert tuned.settings.n_layer == 2
    assert np.array_equal(tuned.trainer.model.values, model.values)
    straight = finish(tuned)
    assert straight != finish(begin("other", init=str(tmp_path / "first"), context=5, seed=1, dropout=0.25))
    shutil.rmtree(tmp_path / "first")
    assert session.resume(tuned.run, {"init": str(tmp_path / "first")}).trainer.finished


def test_fine_tuning_beyond_the_context(begin, tmp_path, byte_folder):
    config = begin("first").trainer.model.config
    GPT(config).save(tmp_path / "model")
    with pytest.raises(InputError, match="model has no vocabulary files"):
        begin("tuned", init=str(tmp_path / "model"))
    shutil.copytree(byte_folder, tmp_path / "model", dirs_exist_ok=True)
    with pytest.raises(InputError, match="--context 9 is more than the 8"):
        begin("tuned", init=str(tmp_path / "model"), context=9)


def test_checkpoints_without_latest(begin, quiet, stop_after):
    begun = begin()
    train(begun, quiet, stop_after(3))
    (begun.run / LATEST).unlink()
    shutil.rmtree(begun.run / "data")
    (begun.run / metrics.NAME).unlink()
    for opens in begin, lambda: session.resume(begun.run, {}):
        with pytest.raises(InputError, match="no file latest: write step-00000003 into one to continue from that"):
            opens()
