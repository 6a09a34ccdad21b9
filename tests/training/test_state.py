"""Checkpoints survive a full disk and a death at any moment."""

import errno
import itertools
import os
import shutil
import sys

import numpy as np
import pytest

from numgpt import checkpoint, files, loading
from numgpt.files import newest_checkpoint
from numgpt.training import session, state
from numgpt.training.loop import train

CHANGES_THE_DISK = ("os.mkdir", "os.rename", "os.remove", "os.rmdir")  # besides opening a file to write


def names(run):
    return sorted(path.name for path in run.iterdir() if path.name not in ("data", "metrics.jsonl", "best"))


def test_the_newest_are_kept(begin, quiet):
    for keep, kept in (1, [20]), (3, [12, 16, 20]), (9, [0, 4, 8, 12, 16, 20]):
        begun = begin(f"{keep}", save_every=4, keep=keep, eval_every=100)
        train(begun, quiet)
        assert names(begun.run) == ["latest", *(f"step-{n:08d}" for n in kept)]


@pytest.mark.parametrize("full", ["write_safetensors", "save_checkpoint", "flush", "atomic_write", "latest"])
def test_a_full_disk(begin, finish, newest, quiet, stop_after, monkeypatch, full):
    straight = finish(begin("straight"))
    begun = begin()
    train(begun, quiet, stop_after(7))
    before = newest(begun.run)

    def fails(path, *_, **__):
        if hasattr(path, "write"):
            path.write(b"some of it")
        if full != "latest" or os.fspath(path).endswith("latest"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return atomic_write(path, *_)

    atomic_write = state.atomic_write
    monkeypatch.setattr(
        checkpoint if full == "save_checkpoint" else state, "atomic_write" if full == "latest" else full, fails
    )
    again = session.resume(begun.run, {})
    with pytest.raises(OSError, match="No space left"):
        train(again, quiet)
    monkeypatch.undo()
    assert names(begun.run) == ["latest", "step-00000005", "step-00000007"]
    assert newest(begun.run) == before
    assert finish(session.resume(begun.run, {})) == straight


def die_before_change(n):
    """From now on, this process ends before its n-th call that changes the disk."""
    calls = iter(range(1, n + 1))

    def count(event, arguments):
        writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in CHANGES_THE_DISK) and next(calls) == n:
            os._exit(77)

    sys.addaudithook(count)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be copied")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_death_before_any_change_of_the_disk(begin, finish, quiet, stop_after, tmp_path):
    """A copy of the process dies before its n-th change of the disk while it saves, for every n; the run continues."""
    short = {"max_steps": 6, "save_every": 1, "keep": 1}
    straight = finish(begin("straight", **short))
    train(origin := begin("origin", **short), quiet, stop_after(4))
    reached, left = set(), set()
    n_files = len(list(newest_checkpoint(origin.run).iterdir()))
    for n in itertools.count(1):
        run = shutil.copytree(origin.run, tmp_path / f"copy-{n}")
        here = session.resume(run, {})
        here.trainer.step()
        if (pid := os.fork()) == 0:
            die_before_change(n)
            here.save()
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        left.add(tuple(names(run)))
        assert {len(list(path.iterdir())) for path in run.glob("step-" + 8 * "?")} == {n_files}
        again = session.resume(run, {})
        reached.add(again.trainer.steps)
        assert finish(again) == straight
        assert names(run) == ["latest", "step-00000006"]
        if code == 0:
            break
        assert code == 77
    assert reached == {4, 5}
    assert ("latest", "step-00000000", "step-00000004", "step-00000005") in left
    assert ("latest", "step-00000000", "step-00000004", "step-00000005.tmp") in left
    assert n > 10


def test_a_save_never_removes_itself_for_checkpoints_of_more_steps(begin, quiet, stop_after):
    begun = begin(keep=1)
    train(begun, quiet, stop_after(2))
    for n in 7, 9:
        shutil.copytree(begun.run / "step-00000002", begun.run / f"step-0000000{n}")
    begun.trainer.step()
    begun.save()
    assert newest_checkpoint(begun.run).name == "step-00000003"
    assert names(begun.run) == ["latest", "step-00000000", "step-00000003", "step-00000007", "step-00000009"]


@pytest.mark.parametrize("moment", ["find_folder", "open_checkpoint", "GPT"])
def test_a_model_is_read_whole_while_its_run_saves(begin, quiet, stop_after, monkeypatch, moment):
    """The run removes the checkpoint that is being read, at whatever moment: then the next is read."""
    begun = begin(keep=1, ema=0.0)
    train(begun, quiet, stop_after(1))
    left = [1, 2]
    original = getattr(loading, moment)

    def while_saving(*arguments, **settings):
        found = original(*arguments, **settings)
        if left:
            left.pop()
            begun.trainer.step()
            begun.save()
        return found

    monkeypatch.setattr(loading, moment, while_saving)
    model, tokenizer = loading.load(begun.run, checkpoint="latest")
    assert not left
    assert np.array_equal(model.values, begun.trainer.model.values)
    assert tokenizer.n_vocab == 256


def test_the_newest_checkpoint_is_named_while_the_run_saves(begin, quiet, stop_after, monkeypatch):
    begun = begin(keep=1)
    train(begun, quiet, stop_after(1))
    read = files._read_latest

    def while_saving(run):
        name = read(run)
        if begun.trainer.steps == 1:
            begun.trainer.step()
            monkeypatch.setattr(files, "_read_latest", read)
            begun.save()
        return name

    monkeypatch.setattr(files, "_read_latest", while_saving)
    assert newest_checkpoint(begun.run).name == "step-00000002"
