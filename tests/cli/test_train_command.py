"""`numgpt train`: options, what it prints, how it ends."""

import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import numgpt
from numgpt.checkpoint.lock import exclusive
from numgpt.cli import main, train, train_report
from numgpt.config import OFFICIAL_SIZES, GPTConfig
from numgpt.errors import InputError
from numgpt.training import language, state
from numgpt.training.presets import choose
from numgpt.training.settings import OF_TASK, TASKS, Settings, option

ROOT = Path(__file__).parents[2]


def checkpoint(run):
    """What the newest checkpoint holds: name -> bytes."""
    return {path.name: path.read_bytes() for path in (run / (run / "latest").read_text().strip()).iterdir()}


def test_a_run(command, tmp_path, capsys):
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(
        "To an untrained model, every token is equally likely: its loss is ln(V) = ln(300) = "
        f"{math.log(300):.2f} nats per token"
    )
    shown = [line for line in lines if line.startswith("step ")]
    assert [line.split()[1] for line in shown] == ["0", "1", "5", "10"]
    assert all("loss " in line and " tokens/s, " in line and " left" in line for line in shown[1:])
    assert lines[-1] == f'finished; try it: numgpt generate --model {tmp_path / "run"} "..."'
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") == 11
    assert main(["generate", "1", "--model", str(tmp_path / "run"), "--max-new-tokens", "3"]) == 0


def test_a_finished_run(command, tmp_path, capsys):
    main(command)
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path / 'run'} is finished after all 10 steps; for more: numgpt train --resume ")
    assert main(said.split("numgpt ")[1].split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Continuing after step 10."
    assert lines[3].startswith("The run now has 20 steps instead of 10. The learning rate follows the schedule")
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") == 21
    assert main(["train", "--resume", str(tmp_path / "run"), "--max-steps", "10"]) == 2
    assert "--max-steps is 10 here, but 20 in the run" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
def test_every_setting_has_an_option(monkeypatch, tmp_path, task):
    """Each option reaches the settings, with a value that is not its default."""
    others = {
        "tokenizer": "char",
        "dtype": "float64",
        "n_embd": 12,
        "n_head": 3,
        "vocab_size": 300,
        "keep": 5,
        "end_of_text": "text",
        "documents": "joined",
        "schedule": "inverse-root",
        "recompute": True,
        "task": task,
    }
    defaults = choose(None, {"task": task})
    foreign = {name for other in TASKS if other != task for name in OF_TASK[other]}
    named = {}
    for here in fields(Settings):
        if here.name not in {"init", *foreign}:
            named[here.name] = others.get(
                here.name, (2 + (getattr(defaults, here.name) == 2)) if here.type is int else 0.25
            )
    words = [word for name, value in named.items() for word in (option(name), str(value)) if word != "True"]
    asked = []
    monkeypatch.setattr("numgpt.training.session.begin", lambda run, data, settings, *_: asked.append(settings))
    with pytest.raises(AttributeError):
        main(["train", "--data", "x", "--out", str(tmp_path / "run"), *words])
    assert asked[0] == replace(defaults, **named)
    assert all(getattr(defaults, name) != value for name, value in named.items() if name != "task")


SMALL = GPTConfig(n_ctx=64, dropout=0.3)


def test_presets_and_init_are_passed_on(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("numgpt.training.session.begin", lambda run, data, settings, *_: asked.append(settings))
    monkeypatch.setattr("numgpt.training.session.start_config", {"124M": OFFICIAL_SIZES["124M"], "small": SMALL}.get)
    for words in (
        ["--preset", "char-small", "--n-layer", "5"],
        ["--init", "124M"],
        ["--init", "small"],
        ["--init", "small", "--context", "65"],
        ["--init", "small", "--dropout", "0.05"],
    ):
        with pytest.raises(AttributeError):
            main(["train", "--data", "x", "--out", str(tmp_path / "run"), *words])
    assert (asked[0].n_layer, asked[0].n_embd, asked[0].tokenizer) == (5, 128, "char")
    assert (asked[1].init, asked[1].lr) == ("124M", 3e-5)
    assert [settings.context for settings in asked] == [64, 1024, 64, 65, 64]
    assert [settings.batch_size for settings in asked] == [12, 1, 16, 15, 16]
    assert [settings.dropout for settings in asked] == [0.0, 0.0, 0.3, 0.3, 0.05]


def test_a_user_s_mistakes(command, tmp_path, text_file, capsys):
    """Each is one line on standard error, and status 2; no folder is left behind."""
    run, empty = tmp_path / "run", tmp_path / "empty.txt"
    empty.touch()
    (tmp_path / "folder").mkdir()
    data = ["--data", str(text_file)]
    for words, reason in [
        ([], "give --data DATA and --out DIR"),
        (data, "give --data DATA and --out DIR"),
        (["--data", str(empty), "--out", str(run)], "empty.txt is empty"),
        (["--data", str(tmp_path / "folder"), "--out", str(run)], "folder holds no text: files whose names end in"),
        (["--data", str(tmp_path / "none"), "--out", str(run)], "No such file"),
        ([*data, "--out", str(text_file)], "is a file: give a folder"),
        ([*command[1:], "--batch-size", "1000000000"], "training with 1,000,000,000 sequences of 8 tokens in"),
        ([*command[1:], "--n-embd", "9"], "--n-embd (9) must be divisible by --n-head (2)"),
        ([*command[1:], "--context", "1000000"], "too few for a context of 1000000"),
        ([*command[1:], "--tokenizer", "runes"], "'runes' is not a folder"),
        ([*command[1:], "--tokenizer", str(tmp_path / "folder")], "has no vocabulary files"),
        ([*command[1:], "--preset", "huge"], "there is no preset 'huge'"),
        ([*command[1:], "--lr", "-1"], "--lr must be above 0"),
        ([*command[1:], "--lr", "fast"], "invalid float value: 'fast'"),
        ([*command[1:], "--lr", "x" * 5000], "invalid float value: 'xxx"),
        ([*command[1:], "--max-steps", "9" * 5000], "invalid int value: '999"),
        ([*command[1:], "--max-steps", "9" * 400], "--max-steps must be below 2^63"),
        ([*command[1:], "--val-data", str(text_file), "--val-fraction", "0.2"], "leave one of them out"),
        ([*command[1:], "--end-of-text", "word"], "--end-of-text must be token or text, not 'word'"),
        ([*command[1:], "--documents", "both"], "--documents must be apart or joined, not 'both'"),
        (["--resume", str(run)], "is not a folder with a run"),
        (["--resume", str(tmp_path / "folder")], "no complete checkpoint yet"),
        (["--resume", str(run), "--out", str(tmp_path)], "leave out --out"),
    ]:
        assert main(["train", *words]) == 2, words
        error = capsys.readouterr().err
        assert reason in error
        assert error.count("\n") == 1
        assert len(error) <= 500
        assert not run.exists()


def test_resume_refuses_what_differs(command, tmp_path, text_file, capsys):
    main(command)
    run = str(tmp_path / "run")
    assert main(command) == 2
    assert "already holds a run" in capsys.readouterr().err
    text_file.write_text("another text")
    assert main(["train", "--resume", run, "--lr", "0.5", "--data", str(text_file)]) == 2
    error = capsys.readouterr().err
    assert "--lr is 0.5 here, but 0.001 in the run; " in error
    assert "text.txt is not the file 'text.txt' that the run began with" in error
    assert main(["train", "--resume", run, "--preset", "char-small"]) == 2
    assert "--n-layer is 4 here, but 1 in the run" in capsys.readouterr().err


@pytest.mark.usefixtures("interruptible")
def test_twenty_steps_are_ten_and_ten_in_three_processes(command, tmp_path):
    """Ctrl-C stops a run after a step; the one that continues ends where the undisturbed one does."""

    def numgpt(*words):
        return [sys.executable, "-m", "numgpt", *words]

    command = [*command, "--max-steps", "400", "--eval-every", "400", "--save-every", "400"]
    straight = subprocess.Popen(numgpt(*command, "--out", str(tmp_path / "straight")), cwd=ROOT)
    process = subprocess.Popen(numgpt(*command), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < 10):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    out, error = process.communicate()
    assert process.returncode == 130
    assert out.splitlines()[-1].endswith(f"saved; continue with: numgpt train --resume {tmp_path / 'run'}")
    assert "Traceback" not in error
    stopped = json.loads(checkpoint(tmp_path / "run")["state.json"])["step"]
    assert 9 <= stopped < 400
    subprocess.run(numgpt("train", "--resume", str(tmp_path / "run")), cwd=ROOT, check=True)
    assert straight.wait() == 0
    assert checkpoint(tmp_path / "run") == checkpoint(tmp_path / "straight")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_signals_that_ask_to_end():
    """scripts/tools/kill_saving.py --signal says more, and asks more often."""
    for name, n in ("TERM", "2"), ("HUP", "1"):
        command = [sys.executable, "scripts/tools/kill_saving.py", "--kills", n, "--signal", name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the same numbers as the undisturbed one" in done.stdout


def test_killed_while_saving():
    """scripts/tools/kill_saving.py says more, and kills more often."""
    command = [sys.executable, "scripts/tools/kill_saving.py", "--kills", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same numbers as the undisturbed one" in done.stdout


def test_a_bar_on_a_terminal(command, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "10/10" in printed.err
    assert "tokens/s" in printed.err
    assert " left" in printed.err
    assert "held out" in printed.out


@pytest.mark.parametrize(("seconds", "shown"), [(1, [1, 31, 61]), (12, [1, 3, 5, 7, 9]), (31, [*range(1, 11)])])
def test_a_line_every_half_minute(monkeypatch, capsys, seconds, shown):
    """Never 30 s of silence where a step is shorter than that, and a line per step where it is longer."""
    clock = [0]
    monkeypatch.setattr(train_report, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    settings = SimpleNamespace(max_steps=1000)
    report = train_report.Report(SimpleNamespace(settings=settings, trainer=SimpleNamespace(steps=0)))
    for step in range(1, 11 if seconds > 1 else 71):
        clock[0] += seconds
        report.step({"step": step, "loss": 2.5, "tokens_per_second": 1234.5})
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[1]) for line in lines] == shown
    assert re.fullmatch(r"step +1 loss 2.5000  1,234 tokens/s, .* left", lines[0])


def test_no_silence_while_an_evaluation_lasts(command, monkeypatch, capsys):
    """A step, an evaluation or a sample may take longer than the time between two lines."""
    monkeypatch.setattr(train_report, "LINE_SECONDS", 0.1)
    monkeypatch.setattr(train_report, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(language, "sample", lambda *_: time.sleep(0.5))
    assert main([*command, "--max-steps", "2"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith("still working")]
    assert len(lines) >= 2
    assert re.fullmatch(r"step +2 loss .* tokens/s, .* left, still working", lines[0])


def test_a_sample_cannot_move_the_cursor():
    assert train_report.indented("a\x1b[2Jb\n\tc\n") == "    a\ufffd[2Jb\n    \ufffdc"


def test_durations():
    assert [train_report.duration(s) for s in (35.2, 720, 12240)] == ["35 s", "12 min", "3.4 h"]


@pytest.mark.usefixtures("interruptible")
def test_the_second_interrupt_ends_all():
    with train.signal_flag() as asked:
        assert not asked()
        signal.raise_signal(signal.SIGINT)
        assert asked() == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_was_started_to_ignore_interrupts_ignores_them():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with train.signal_flag() as asked:
        signal.raise_signal(signal.SIGINT)
        assert not asked()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_disk_that_is_full(command, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "write_safetensors", full)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "step-00000000.tmp/training.safetensors cannot be written: No space left on device; make room" in error


def test_tokens_without_a_tokenizer(command, tmp_path, capsys):
    np.save(tmp_path / "tokens.npy", np.arange(600) % 7)
    data = ["--data", str(tmp_path / "tokens.npy"), "--out", str(tmp_path / "run")]
    assert main(["train", *data, *command[5:]]) == 0
    out = capsys.readouterr().out
    assert "ln(7) = 1.95" in out
    assert "a character" not in out


def test_one_process_at_a_time(command, tmp_path, capsys, monkeypatch):
    """Whoever resumes a run that another process is at waits for it to end."""
    main(command)
    capsys.readouterr()
    said = io.StringIO()  # capsys would lose what another thread prints while it is read
    monkeypatch.setattr(sys, "stderr", said)
    with exclusive(tmp_path / "run" / "lock", "busy"):
        other = threading.Thread(target=main, args=[["train", "--resume", str(tmp_path / "run")]])
        other.start()
        while "another process is training in this folder" not in said.getvalue():
            assert other.is_alive()
            time.sleep(0.001)
        assert other.is_alive()
    other.join()
    assert "is finished" in capsys.readouterr().out
    assert not (tmp_path / "run" / "lock").exists()


@pytest.mark.parametrize("seconds", [0, 0.1, 0.3])
def test_two_runs_begun_in_one_folder(command, tmp_path, seconds):
    """scripts/tools/train_pairs.py makes twenty pairs: one run, whole, and one clear line."""
    words = [sys.executable, "-m", "numgpt", *command, "--max-steps", "40"]
    pair = []
    for _ in range(2):
        pair.append(subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        time.sleep(seconds)
    printed = [process.communicate() for process in pair]
    assert sorted(process.returncode for process in pair) == [0, 2]
    refused = next(error for process, (_, error) in zip(pair, printed, strict=True) if process.returncode == 2)
    assert refused.count("\n") == 1
    assert "another process is starting or training a run" in refused or "already holds a run" in refused
    run = tmp_path / "run"
    assert sorted(path.name for path in run.glob("step-*")) == ["step-00000035", "step-00000040"]
    assert [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()] == [*range(41)]
    assert main(["train", "--resume", str(run)]) == 0
    assert main(["generate", "1", "--model", str(run), "--max-new-tokens", "3"]) == 0


def test_a_folder_is_held_while_the_tokenizer_is_learnt(command, tmp_path, monkeypatch, capsys):
    said = []

    def slow(*_):
        said.append(main(command))
        raise InputError("enough")

    monkeypatch.setattr("numgpt.training.language.choose_tokenizer", slow)
    assert main(command) == 2
    assert said == [2]
    assert "another process is starting or training a run in" in capsys.readouterr().err.splitlines()[0]
    assert not (tmp_path / "run").exists()


def test_loading_while_a_run_saves():
    """scripts/tools/load_while_saving.py says more, and loads more often."""
    command = [sys.executable, "scripts/tools/load_while_saving.py", "--loads", "30"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": 0 failed" in done.stdout


def test_a_vocabulary_that_is_padded(command, tmp_path, tiny_model, text_file, capsys):
    """A model may have more rows than its tokenizer has tokens: a sample draws none of the others."""
    model = numgpt.GPT(numgpt.GPTConfig(n_vocab=5000, n_ctx=8, n_embd=8, n_head=2, n_layer=1))
    model.save(tmp_path / "padded")
    for name in "vocab.json", "merges.txt":
        shutil.copy(Path(tiny_model) / name, tmp_path / "padded")
    shape = ("--n-layer", "--n-head", "--n-embd", "--vocab-size")
    words = [word for word in command if not word.startswith(shape)]
    assert main([*words, "--init", str(tmp_path / "padded")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("step ")]) == 4
    assert numgpt.load(tmp_path / "run")[0].config.n_vocab == 5000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("eval_every", [1, 100])
def test_a_run_that_diverges(command, tmp_path, capsys, eval_every):
    """One line that says so, and no warning of NumPy's before it."""
    assert main([*command, "--lr", "1e30", "--clip", "0", "--eval-every", str(eval_every)]) == 2
    error = capsys.readouterr().err
    assert "training diverged; " in error
    assert error.count("\n") == 1
    advice = re.search(r"--init \S+", error)[0].split()
    assert main(["train", *command[1:3], "--out", str(tmp_path / "again"), *advice, "--lr=1e-4", "--max-steps=2"]) == 0


def test_a_text_from_standard_input(command, tmp_path, text_file):
    """`-` is standard input, for the text to train on and for a text whose loss is asked."""
    words = [sys.executable, "-m", "numgpt", *command[:1], "--data", "-", "--val-data", str(text_file), *command[3:]]
    done = subprocess.run(words, cwd=ROOT, input=text_file.read_bytes() * 2, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert main(["train", "--resume", str(tmp_path / "run"), "--val-data", str(text_file)]) == 0
    loss = [sys.executable, "-m", "numgpt", "loss", "-", "--model", str(tmp_path / "run")]
    done = subprocess.run(loss, cwd=ROOT, input=text_file.read_bytes(), capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"nats per token" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_during_a_run(command, tmp_path):
    """The diary is the first file to grow too long: the last checkpoint is named, and the run continues from it."""
    code = (
        "import resource, sys; from numgpt.cli import main;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY)); sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, *command, "--max-steps", "700", "--save-every", "100", "--eval-every", "700"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "run/metrics.jsonl cannot be written: File too large; the disk or a limit of this shell" in done.stderr
    step, resume = re.search(r"step-(\d+) is complete, continue from it with: numgpt (.*)$", done.stderr).groups()
    assert 100 <= int(step) < 700
    assert main(resume.split()) == 0
    assert (tmp_path / "run" / "metrics.jsonl").read_text().count("\n") == 701
