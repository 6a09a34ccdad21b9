#!/usr/bin/env python3
"""Kill an evaluation at random moments, restart it each time, and compare what it has written at the end.

    python scripts/tools/kill_evaluating.py --kills 20 -- wikitext-lm-eval --model FOLDER --file FILE

The file of --out must be, byte for byte, that of an undisturbed run. Exit status 1 if it is not.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="how often to kill (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (default 0)")
    parser.add_argument("words", nargs="+", metavar="WORD", help="arguments of `numgpt evaluate`")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(compare(Path(folder), args.words, args.kills, random.Random(args.seed)))


def compare(folder, words, kills, rng):
    """Run undisturbed and disturbed; print what happened; return the exit status."""
    quiet, killed = folder / "quiet.jsonl", folder / "killed.jsonl"
    started = time.perf_counter()
    start(words, quiet).wait()
    print(f"undisturbed: {time.perf_counter() - started:.0f} s, {lines(quiet)} lines", flush=True)
    cut = 0
    for n in range(kills):
        aim = lines(quiet) * (n + rng.random()) / kills
        process = start(words, killed)
        while process.poll() is None and lines(killed) < aim:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.wait()
        cut += not killed.read_bytes().endswith(b"\n") if killed.exists() else 0
        print(f"killed at line {lines(killed)}", flush=True)
    status = start(words, killed).wait()
    same = quiet.read_bytes() == killed.read_bytes()
    print(f"{kills} times SIGKILL, {cut} of them in the middle of a line, {time.perf_counter() - started:.0f} s")
    print("the file has the same bytes as the undisturbed one" if same else "the files DIFFER")
    return 0 if same and status == 0 else 1


def start(words, out):
    """The process that runs `numgpt evaluate` with --out."""
    command = [sys.executable, "-m", "numgpt", "evaluate", *words, "--out", str(out)]
    path = os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path})


def lines(path):
    """How many complete lines a file has."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


if __name__ == "__main__":
    main()
