"""Work that is dealt to processes has the bytes of one process's, and ends at once when one of them is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import numgpt
from numgpt.cli import main
from tools.kill_saving import AS_ROOT, MPIEXEC, children

QUICK = {"OPENBLAS_NUM_THREADS": "1"}
MPI = pytest.mark.skipif(not (find_spec("mpi4py") and MPIEXEC), reason="needs mpi4py and mpiexec")
LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes as Linux lists them")
WORDS = ["a", "dog", "saw", "the", "old", "sea", "and", "then", "went", "home", "with", "red", "fish"]
WAYS = [2, pytest.param("mpi", marks=MPI)]


def sentences(n, length=9):
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, length - i % 4)) for i in range(n)]


def write_lambada(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def write_hellaswag(path, texts):
    rows = ({"activity_label": "Tea", "ctx_a": text[:9], "ctx_b": "he", "ctx": text[:9], "label": 1} for text in texts)
    path.write_text("".join(json.dumps(row | {"endings": ["is", "was red", "a", "b"]}) + "\n" for row in rows))


def write_text(path, texts):
    path.write_text("".join(f" = {text} = \n\n {text} . \n\n" for text in texts))


TASKS = {
    "wikitext-hf-1024": write_text,
    "wikitext-hf-512": write_text,
    "wikitext-lm-eval": write_text,
    "lambada-lm-eval": write_lambada,
    "lambada-last-token": write_lambada,
    "lambada-stop-words": write_lambada,
    "hellaswag-lm-eval": write_hellaswag,
    "hellaswag-llm.c": write_hellaswag,
    "text --protocol strided --stride 7": write_text,
    "text --protocol rolling": write_text,
}

BY_MPI = ("wikitext-lm-eval", "hellaswag-llm.c")  # each costs two seconds


def start(words, way=1, **options):
    """The process of a command that so many processes share, or two of mpiexec."""
    words = [sys.executable, "-m", "numgpt", *map(str, words)]
    words = [MPIEXEC, "-n", "2", "--oversubscribe", *words] if way == "mpi" else [*words, "--processes", str(way)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, env=os.environ | AS_ROOT | QUICK, **pipes, **options)


@pytest.fixture
def done(capsys):
    """A function: (what is printed without the name of --out, the bytes of it, complaints) of a command."""

    def done(words, out, way):
        words = [*map(str, words), "--out", str(out)]
        if way == "mpi":
            printed, complaints = start(words, way).communicate(timeout=60)
        else:
            with threadpool_limits(1):  # as the processes of a team have, on two cores
                main([*words, "--processes", str(way)])
            printed, complaints = capsys.readouterr()
        return printed.replace(str(out), "OUT"), out.read_bytes(), complaints

    return done


@pytest.mark.parametrize("task", TASKS)
def test_every_protocol_has_the_bytes_of_one_process(task, tiny_model, tmp_path, done):
    TASKS[task](tmp_path / "text", sentences(11))
    words = ["evaluate", *task.split(), "--file", tmp_path / "text", "--model", tiny_model, "--batch-size", 1]
    expected = done(words, tmp_path / "out", 1)
    assert json.loads(expected[0])["units"] > 8  # more than two rounds
    for way in [2, "mpi"] if MPIEXEC and find_spec("mpi4py") and task in BY_MPI else [2]:
        assert done(words, tmp_path / f"out-{way}", way) == expected


@pytest.mark.parametrize("way", [*WAYS, 3])
def test_products_that_threads_share_have_the_same_bits(way, tmp_path, done):
    """The bundled model's: how they are cut follows from the number of cores, of which each process has a share."""
    write_text(tmp_path / "text", sentences(120))
    words = ["evaluate", "text", "--stride", 32, "--limit", 24, "--file", tmp_path / "text", "--batch-size", 2]
    assert done(words, tmp_path / "out", way) == done(words, tmp_path / "expected", 1)


@pytest.mark.parametrize("way", [*WAYS, 3])
@pytest.mark.parametrize("how", [["--seed", 5, "--num-samples", 2], ["--num-beams", 2]])
def test_texts_do_not_depend_on_the_number_of_processes(how, way, tiny_model, tmp_path, done):
    (tmp_path / "prompts").write_text("\n".join(sentences(11)))
    words = ["generate", "--prompts-file", tmp_path / "prompts", "--model", tiny_model, "--max-new-tokens", 9, *how]
    words += ["--batch-size", 2]
    expected = done(words, tmp_path / "expected", 1)
    assert expected[1].count(b"\n") == 11
    assert done(words, tmp_path / "out", way) == expected
    half = tmp_path / "half"
    half.write_bytes(expected[1][: len(expected[1]) // 2])
    assert done(words, half, way)[1] == expected[1]


@pytest.mark.parametrize("way", WAYS)
def test_an_error_is_told_once_and_after_the_same_records(way, tiny_model, tmp_path, done):
    model, _ = numgpt.load(tiny_model)
    model.wpe.weight[50] = np.nan  # so that only a long passage fails
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    model.save(folder)
    write_lambada(tmp_path / "text", ["a dog", *sentences(6, 5), "a long one " * 5 + "ends", *sentences(8, 5)])
    words = ["evaluate", "lambada-lm-eval", "--file", tmp_path / "text", "--model", folder, "--batch-size", 1]
    expected = done(words, tmp_path / "expected", 1)
    assert expected[1].count(b"\n") == 5
    assert "not finite" in expected[2]
    found = done(words, tmp_path / "out", way)
    assert found[:2] == expected[:2]
    assert found[2].startswith(expected[2])  # mpiexec adds its own, about the status
    assert "Traceback" not in found[2]


@pytest.mark.parametrize("way", WAYS)
def test_lines_without_a_file_are_printed(way, tiny_model, tmp_path, done):
    (tmp_path / "prompts").write_text("\n".join(sentences(5)))
    words = ["generate", "--prompts-file", tmp_path / "prompts", "--model", tiny_model, "--batch-size", 1, "--seed", 1]
    expected = done(words, tmp_path / "expected", 1)[1].decode()
    assert start(words, way).communicate(timeout=60) == (expected, "")


def endless(folder, units=150):
    """The words of an evaluation by the bundled model that takes long enough to be disturbed."""
    write_text(folder / "text", sentences(400))
    return ["evaluate", "text", "--stride", 8, "--limit", units, "--file", folder / "text", "--batch-size", 1]


def begun(words, out):
    """The process of two that has written its first records, and the other's two."""
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # even if the tests run in the background of a shell
    process = start([*words, "--out", out], 2, start_new_session=True, preexec_fn=heard)
    deadline = time.monotonic() + 60
    while not (out.exists() and out.read_bytes().count(b"\n") > 5) and time.monotonic() < deadline:
        time.sleep(0.01)
    others = children(process)
    assert len(others) == 2
    return process, others


def assert_gone(pids):
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@LINUX
def test_without_one_of_its_processes_it_ends_and_continues(tmp_path, done):
    words, out = endless(tmp_path), tmp_path / "out"
    process, others = begun(words, out)
    os.kill(others[1], signal.SIGKILL)
    _, complaints = process.communicate(timeout=10)
    assert process.returncode == 2
    assert complaints.startswith("numgpt: a process has died")
    assert complaints.count("\n") == 1
    assert_gone(others)
    assert done(words, out, 2) == done(words, tmp_path / "expected", 1)


@LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_others_end_with_the_first(number, tmp_path):
    process, others = begun(endless(tmp_path, units=1500), tmp_path / "out")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal's Ctrl-C, to all of them
    else:
        process.kill()
    _, complaints = process.communicate(timeout=10)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in complaints
    assert_gone(others)


@LINUX
@MPI
def test_mpiexec_ends_when_one_of_its_processes_is_lost(tmp_path):
    out = tmp_path / "out"
    process = start([*endless(tmp_path), "--out", out], "mpi")
    while not (out.exists() and out.read_bytes().count(b"\n") > 5):
        time.sleep(0.01)
    ranks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(ranks[-1]), signal.SIGKILL)
    process.communicate(timeout=20)
    assert process.returncode


@pytest.mark.parametrize("number", ["0", "65", "-1", "two", "1.5", "", "auto"])
@pytest.mark.parametrize("words", [["evaluate", "text", "--file", __file__], ["generate", "--prompts-file", __file__]])
def test_what_is_no_number_of_processes_is_refused(words, number, capsys):
    assert main([*words, f"--processes={number}"]) == 2
    assert "--processes must be a number from 1 to 64" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["evaluate", "text", "--file", __file__], ["generate", "--prompts-file", __file__]])
def test_several_processes_and_a_gpu_are_refused(words, capsys):
    assert main([*words, "--processes", "2", "--device", "cuda"]) == 2
    expected = "numgpt: several processes work on the CPU only: leave out --device, or --processes\n"
    assert capsys.readouterr().err == expected


def test_one_text_is_not_dealt_out(capsys):
    assert main(["generate", "a text", "--processes", "2"]) == 2
    assert "--processes works only with --prompts-file" in capsys.readouterr().err
