"""The command line as a whole: help, exit statuses, signals and pipes."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import numgpt
from numgpt import cli
from numgpt.cli import main
from numgpt.cli.system_errors import explain

ROOT = Path(numgpt.__file__).parents[1]
COMMANDS = ["generate", "download", "verify", "tokenizer", "gradcheck", "info"]


def command(*arguments):
    return [sys.executable, "-m", "numgpt", *arguments]


def environment(**changes):
    """That of these tests, with Python's output buffered as it is by default."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return inherited | {"PYTHONPATH": str(ROOT)} | changes


@pytest.fixture
def endless(tiny_model):
    """A command that would write for hours."""
    return command("generate", "--model", tiny_model, "--max-new-tokens", "100000000", "--seed", "1", "Hi")


def test_help_names_every_command_and_every_command_has_examples(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^ +{name}\b", out, re.MULTILINE)
        assert main([name, "--help"]) == 0
        assert f"numgpt {name}" in capsys.readouterr().out.partition("examples:")[2]


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"numgpt {numgpt.__version__}\n"


@pytest.mark.parametrize("arguments", [["sing"], ["--loud"], ["download"], ["tokenizer"]])
def test_a_wrong_command_is_one_line_and_status_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("numgpt: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (numgpt.InputError("wrong\n twice"), 2, "numgpt: wrong twice\n"),
        (
            FileNotFoundError(2, "No such file or directory", "x"),
            2,
            "numgpt: x cannot be opened: No such file or directory; check the name\n",
        ),
        (MemoryError("Unable to allocate 9 TiB"), 2, "numgpt: not enough memory: Unable to allocate 9 TiB\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 141, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_exit_statuses(monkeypatch, capsys, error, status, message):
    def fail(args):
        raise error

    monkeypatch.setattr(cli.info, "run", fail)
    assert main(["info"]) == status
    assert capsys.readouterr() == ("", message)


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(cli.info, "run", lambda args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["info"])


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_quietly(endless):
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout.read(10).startswith(b"Hi")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")


def test_a_closed_pipe_ends_quietly(endless):
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=20)
    assert (process.returncode, err) == (141, b"")


def test_the_text_is_streamed(tiny_model, monkeypatch):
    """What is handed on at each flush: the prompt first, then a little more each time."""
    handed_on = []

    class Output(io.StringIO):
        def flush(self):
            handed_on.append(self.getvalue())

    monkeypatch.setattr(sys, "stdout", Output())
    assert main(["generate", "--model", tiny_model, "--max-new-tokens", "30", "--seed", "1", "Hi"]) == 0
    assert handed_on[0] == "Hi"
    added = [len(after) - len(before) for before, after in zip(handed_on, handed_on[1:], strict=False)]
    assert sum(added) > 15
    assert max(added) <= 4  # an id is a byte here: a character, and what broken ones before it became


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(tiny_model):
    with open("/dev/full", "w") as full:
        arguments = command("generate", "--model", tiny_model, "Hi")
        done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith(b"numgpt: standard output cannot be written: No space left on device; make room")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes on POSIX only")
@pytest.mark.parametrize("settings", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "POSIX"}])
def test_an_argument_is_utf_8_whatever_the_locale(tiny_model, settings):
    arguments = command("generate", "--model", tiny_model, "--max-new-tokens", "0", "--json", "caf\u00e9 \u65e5")
    done = subprocess.run(arguments, capture_output=True, env=environment(**settings), timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["prompt"] == "caf\u00e9 \u65e5"


def test_a_terminal_that_has_few_characters(tiny_model):
    arguments = command("generate", "--model", tiny_model, "--max-new-tokens", "20", "日本")
    done = subprocess.run(arguments, capture_output=True, env=environment(PYTHONIOENCODING="ascii"), timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"??")


@pytest.mark.skipif(sys.platform == "win32", reason="arguments are bytes on POSIX only")
def test_an_argument_that_is_not_utf_8():
    arguments = [os.fsencode(part) for part in command("generate")] + [b"caf\xe9"]
    done = subprocess.run(arguments, capture_output=True, env=environment(PYTHONUTF8="1"), timeout=60)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"numgpt: the prompt is not valid UTF-8: 'caf\\udce9'\n"


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from numgpt.cli import main\n"
        "main(['--help'])\n"
        "heavy = {'regex', 'requests', 'tqdm', 'google_crc32c', 'numgpt.gradcheck', 'numgpt.verification'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), stdout=subprocess.DEVNULL)


def test_what_the_system_says(tmp_path):
    """The file, what could not be done, why, and what to do."""
    missing = pytest.raises(FileNotFoundError, (tmp_path / "none").read_bytes)
    assert explain(missing.value) == f"{tmp_path / 'none'} cannot be opened: No such file or directory; check the name"
    full = OSError(errno.ENOSPC, "No space left on device", "model")
    assert explain(full) == "model cannot be written: No space left on device; make room on the disk"
    assert explain(OSError(errno.EDOM, "Odd")) == "the system reports an error: Odd"
    assert explain(OSError("the server is gone")) == "the server is gone"
