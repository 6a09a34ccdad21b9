#!/usr/bin/env python3
"""Begin two runs in one folder, again and again: the result must be one complete run.

Half of the pairs begin at once, the others up to two seconds apart.

    python scripts/tools/train_pairs.py --pairs 20

In each pair, one process must end with status 0 and the other with status 2 and one line; the folder must then hold
every step once, and it must be possible to resume the run and to generate from it. Exit status 1 if not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPTIONS = (
    "--vocab-size 300 --n-layer 1 --n-head 2 --n-embd 8 --context 8 --batch-size 2 --save-every 50 --keep 2 "
    "--eval-every 1000 --eval-batches 1 --max-steps 1000"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="how many (default 20)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        text.write_text("".join(f"{n} times {n} is {n * n};\n" for n in range(60)), "utf-8")
        apart = [max(0, 4 * n / args.pairs - 2) for n in range(args.pairs)]
        faults = [fault for n, seconds in enumerate(apart) for fault in pair(Path(folder) / f"run-{n}", text, seconds)]
    print(f"{args.pairs} pairs, {len(faults)} faults")
    sys.exit(1 if faults else 0)


def pair(run, text, seconds):
    """Begin two runs in the folder, so many seconds apart; print the result, return the faults."""
    command = numgpt("train", "--data", text, "--out", run, *OPTIONS.split())
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ended = [(process.communicate()[1], process.returncode) for process in (first, second)]
    said = [error.strip() for error, status in ended if status == 2]
    faults = [] if sorted(status for _, status in ended) == [0, 2] else [f"ended with {ended}"]
    faults += [f"said {line!r}" for line in said if "\n" in line or "without" in line or "but no" in line]
    faults += damage(run)
    print(f"{seconds:.1f} s apart: {'; '.join(faults) or 'one complete run'}; the other: {' '.join(said)}", flush=True)
    return faults


def damage(run):
    """What is wrong with the folder of a run that should be finished."""
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    faults = (
        []
        if steps == list(range(1001))
        else [f"the log has the steps {steps[:3]} ... {steps[-3:]}, {len(steps)} in all"]
    )
    for words in (["train", "--resume", run], ["generate", "1", "--model", run, "--max-new-tokens", "3"]):
        done = subprocess.run(numgpt(*words), cwd=ROOT, capture_output=True, text=True)
        faults += [f"{words[0]}: {done.stderr}"] if done.returncode else []
    return faults


def numgpt(*words):
    return [sys.executable, "-m", "numgpt", *words]


if __name__ == "__main__":
    main()
