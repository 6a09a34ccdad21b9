"""A run of many processes is the run of one: the same but for rounding, and bit for bit if it is repeated."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from numgpt import GPT, GPTConfig
from numgpt.checkpoint.safetensors_file import read_header
from numgpt.checkpoint.tensors import read_tensors
from numgpt.cli import main
from numgpt.files import newest_checkpoint
from numgpt.layers.dropout import Dropout
from numgpt.training import metrics
from numgpt.training.parallel.rows import Dealing
from numgpt.training.parallel.team import share
from tools.kill_saving import AS_ROOT, MPIEXEC, children

OPTIONS = {
    "tokenizer": "char",
    "n-layer": 2,
    "n-head": 2,
    "n-embd": 12,
    "context": 9,
    "batch-size": 5,
    "accumulate": 4,
    "max-steps": int(os.environ.get("NUMGPT_STEPS", 12)),
    "dropout": 0.2,
    "clip": 0.3,
    "weight-decay": 0.1,
    "ema": 0.9,
    "eval-every": 5,
    "warmup": 3,
    "lr": 0.01,
    "dtype": "float64",
}
TEXT = "".join(chr(97 + (7 * i * i + i) % 23) for i in range(3000))
QUICK = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "text.txt"
    path.write_text(TEXT)
    return path


def command(run, *more):
    new = ["--data", run.parent / "text.txt", "--out", run, *(f"--{name}={value}" for name, value in OPTIONS.items())]
    start = ["--resume", run] if (run / "latest").exists() else new
    return [str(word) for word in (sys.executable, "-m", "numgpt", "train", *start, *more)]


def trained(run, *more, before=()):
    """Train, or go on; return the weights, moments and averages at the end, and the losses."""
    ended = subprocess.run(
        [*before, *command(run, *more)], env=os.environ | QUICK | AS_ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return result(run)


def result(run):
    path = newest_checkpoint(run) / "training.safetensors"
    tensors = read_header(path)
    arrays = {tensor.name: np.empty(tensor.shape, np.float64) for tensor in tensors}
    read_tensors((tensor, arrays[tensor.name]) for tensor in tensors)
    losses = [(record["loss"], record.get("val_loss")) for record in metrics.read(run)[1:]]
    return arrays, losses


@pytest.fixture(scope="module")
def one(data):
    return trained(data.parent / "one")


def assert_close(found, expected):
    print("largest difference", max(np.abs(found[0][name] - array).max() for name, array in expected[0].items()))
    for name, array in expected[0].items():
        assert np.abs(found[0][name] - array).max() < 1e-9, name
    for (loss, val), (its_loss, its_val) in zip(found[1], expected[1], strict=True):
        assert abs(loss - its_loss) < 1e-9
        assert (val is None) == (its_val is None)
        assert val is None or abs(val - its_val) < 1e-9


def assert_same(found, expected):
    assert found[1] == expected[1]
    for name, array in expected[0].items():
        assert np.array_equal(found[0][name], array), name


@pytest.mark.parametrize("n", [2, 3, 4])
def test_processes_make_the_run_of_one(data, one, n):
    found = trained(data.parent / f"processes-{n}", "--processes", n)
    assert_close(found, one)
    if n == 2:
        assert_same(trained(data.parent / "again", "--processes", n, "--recompute"), found)


def test_more_processes_than_rows(data, one):
    """Each batch has 5."""
    assert_close(trained(data.parent / "processes-7", "--processes", 7), one)


def test_what_three_began_two_can_end(data, one):
    run = data.parent / "handed-on"
    trained(run, "--processes", 3, "--max-steps", 6)
    assert_close_weights = trained(run, "--processes", 2, "--max-steps", 12)
    alone = data.parent / "alone"
    trained(alone, "--max-steps", 6)
    assert_close(assert_close_weights, trained(alone, "--max-steps", 12))


@pytest.mark.skipif(not (find_spec("mpi4py") and MPIEXEC), reason="needs mpi4py and mpiexec")
def test_mpi_makes_the_run_of_one(data, one):
    assert_close(trained(data.parent / "mpi", before=[MPIEXEC, "-n", "2", "--oversubscribe"]), one)


@pytest.mark.skipif(not (find_spec("mpi4py") and MPIEXEC), reason="needs mpi4py and mpiexec")
def test_mpi_ends_when_the_first_has_nothing_to_do(data):
    words = [MPIEXEC, "-n", "2", "--oversubscribe", sys.executable, "-m", "numgpt", "train"]
    wrong = [*words, "--data", str(data.parent / "nothing.txt"), "--out", str(data.parent / "nowhere")]
    ended = subprocess.run(wrong, env=os.environ | QUICK | AS_ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "nothing.txt" in ended.stderr


def test_a_team_that_diverges_says_so(data):
    words = command(data.parent / "diverged", "--processes", 2, "--lr", 1e30, "--clip", 0, "--warmup", 0)
    ended = subprocess.run(words, env=os.environ | QUICK, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "training diverged" in ended.stderr
    assert "is gone" not in ended.stderr
    assert "Warning" not in ended.stderr


@pytest.mark.parametrize("task", ["classify", "translate"])
def test_teams_learn_other_tasks_too(task, tmp_path):
    """Pairs of a text and its label, or its translation."""
    rows = [f"{a} {b} {a}\t{'first' if a < b else 'second'}" for a in "abcdefg" for b in "abcdefg" if a != b]
    (tmp_path / "rows.tsv").write_text("\n".join(rows) + "\n")
    options = {"task": task, "vocab-size": 270, "n-layer": 1, "n-head": 2, "n-embd": 8, "max-steps": 4, "warmup": 1}
    options |= {"dropout": 0.1, "dtype": "float64", "batch-tokens": 40, "val-fraction": 0.3, "eval-every": 4}
    found = []
    for n in (1, 2):
        run = tmp_path / f"run-{n}"
        words = [f"--{name}={value}" for name, value in options.items()]
        words = ["train", "--data", str(tmp_path / "rows.tsv"), "--out", str(run), *words, f"--processes={n}"]
        ended = subprocess.run(
            [sys.executable, "-m", "numgpt", *words], env=os.environ | QUICK, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stderr
        found.append(result(run))
    assert_close(found[1], found[0])


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes as Linux lists them")
@pytest.mark.parametrize("victim", ["first", "other"])
def test_a_run_that_loses_a_process_ends_and_continues(data, victim):
    whole = data.parent / f"whole-{victim}"
    expected = trained(whole, "--processes", 2, "--max-steps", 40, "--save-every", 4)
    run = data.parent / f"killed-{victim}"
    words = command(run, "--processes", 2, "--max-steps", 40, "--save-every", 4)
    process = subprocess.Popen(
        words, env=os.environ | QUICK, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    written, enough = run / metrics.NAME, {"first": 6, "other": 11}[victim]
    while not (written.exists() and written.read_bytes().count(b"\n") > enough) and time.monotonic() < deadline:
        time.sleep(0.02)
    others = children(process)
    assert len(others) == 1
    os.kill(process.pid if victim == "first" else others[0], signal.SIGKILL)
    _, said = process.communicate(timeout=10)
    assert process.returncode
    if victim == "other":
        assert "process 1 of 2 is gone" in said
    while any(Path(f"/proc/{pid}").exists() for pid in others) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in others)
    assert_same(trained(run, "--processes", 2), expected)


@pytest.mark.parametrize("n", ["0", "65", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_processes_is_refused(n, tmp_path, capsys):
    assert main(["train", "--data", str(tmp_path / "x"), "--out", str(tmp_path / "run"), f"--processes={n}"]) == 2
    assert "--processes must be a number from 1 to 64, or auto" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_rows_draw_their_part_of_the_mask_of_all(size):
    config = GPTConfig(n_vocab=7, n_ctx=5, n_embd=6, n_head=2, n_layer=1, dropout=0.3)
    shapes = [(5, 3, 7), (5, 2, 3, 3), (5, 1, 1)]
    whole = GPT(config).train()
    layer = next(layer for _, layer in whole.named_layers() if isinstance(layer, Dropout))
    expected = [layer.draw(shape, np.zeros(1)) for shape in shapes]
    batch = np.zeros((5, 3), int), 0.1
    for rank in range(size):
        model = GPT(config).train()
        dealing = Dealing(model, rank, size)
        (ids, smoothing), learning = dealing.own(batch)
        assert smoothing == 0.1
        rows = share(5, rank, size) if learning else slice(0, 1)
        layer = next(layer for _, layer in model.named_layers() if isinstance(layer, Dropout))
        for shape, mask in zip(shapes, expected, strict=True):
            assert np.array_equal(layer.draw((len(ids), *shape[1:]), np.zeros(1)), mask[rows])
        assert model.rng.bit_generator.state["state"] == whole.rng.bit_generator.state["state"]
