"""One process at a time: a lock held on one open file keeps out the others, also those in the same process."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from numgpt.checkpoint import lock
from numgpt.checkpoint.lock import exclusive


def enter(path, done=None):
    with exclusive(path, "busy"):
        if done:
            done.set()


def test_the_file_goes_with_the_lock(tmp_path, capsys):
    with exclusive(tmp_path / "lock", "busy"):
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""


def test_the_lock_ends_with_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "lock", "busy"):
        raise ZeroDivisionError
    enter(tmp_path / "lock")


def test_a_file_that_a_killed_process_left_is_no_obstacle(tmp_path, capsys):
    (tmp_path / "lock").touch()
    enter(tmp_path / "lock")
    assert capsys.readouterr().err == ""


def test_another_waits(tmp_path, capsys):
    done = threading.Event()
    with exclusive(tmp_path / "lock", "busy"):
        thread = threading.Thread(target=enter, args=(tmp_path / "lock", done))
        thread.start()
        assert not done.wait(0.1)
    thread.join()
    assert done.is_set()
    assert capsys.readouterr().err == "busy\n"


def test_another_process_waits(tmp_path):
    command = (
        "import sys; from numgpt.checkpoint.lock import exclusive\nwith exclusive(sys.argv[1], 'busy'): print('in')"
    )
    with exclusive(tmp_path / "lock", "busy"):
        other = subprocess.Popen(
            [sys.executable, "-c", command, str(tmp_path / "lock")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(lock.__file__).parents[2],
        )
        assert other.stderr.readline() == "busy\n"
        assert other.poll() is None
    assert other.communicate(timeout=30)[0] == "in\n"


def test_a_lock_on_a_file_that_has_lost_its_name_does_not_count(tmp_path, monkeypatch):
    """Between the moment a waiting process gets the lock and its look at the file, a third one may come in."""
    path = tmp_path / "lock"
    entered, released = threading.Event(), threading.Event()
    wait = lock._wait_for_lock

    def third():
        with exclusive(path, "busy"):
            entered.set()
            released.wait(5)

    def slow_wait(file):
        wait(file)
        if not entered.is_set():
            threading.Thread(target=third).start()
            entered.wait(5)

    monkeypatch.setattr(lock, "_wait_for_lock", slow_wait)
    done = threading.Event()
    with exclusive(path, "busy"):
        second = threading.Thread(target=enter, args=(path, done))
        second.start()
        assert not done.wait(0.05)
    assert entered.wait(5)
    assert not done.wait(0.05)
    released.set()
    second.join(5)
    assert done.is_set()
