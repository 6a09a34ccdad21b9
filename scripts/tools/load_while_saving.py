#!/usr/bin/env python3
"""Load a model again and again while its run saves at every step and keeps one checkpoint: no load may fail.

    python scripts/tools/load_while_saving.py --loads 1000

Exit status 1 if one failed, or if the run ended first.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from numgpt import load  # noqa: E402
from numgpt.files import LATEST  # noqa: E402

OPTIONS = (
    "--tokenizer char --n-layer 1 --n-head 2 --n-embd 8 --context 8 --batch-size 2 --save-every 1 --keep 1 "
    "--eval-every 1000000 --eval-batches 1 --max-steps 1000000"
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=1000, help="how many (default 1000)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, run = Path(folder) / "text.txt", Path(folder) / "run"
        text.write_text("".join(f"{n} times {n} is {n * n};\n" for n in range(60)), "utf-8")
        command = [sys.executable, "-m", "numgpt", "train", "--data", text, "--out", run, *OPTIONS.split()]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            while not (run / LATEST).exists():
                time.sleep(0.01)
            failed, names = load_often(run, args.loads)
            ended = process.poll() is not None
        finally:
            process.kill()
            process.wait()
    print(f"{args.loads} loads while {names} checkpoints or more came and went: {len(failed)} failed")
    for error in failed[:5]:
        print(f"  {error!r}")
    sys.exit(1 if failed or ended else 0)


def load_often(run, loads):
    """(the errors of `loads` loads, how many checkpoints `latest` was seen to name meanwhile)."""
    failed, names = [], set()
    for _ in range(loads):
        names.add((run / LATEST).read_text())
        try:
            _, tokenizer = load(run, checkpoint=LATEST)
            assert tokenizer is not None
        except Exception as error:
            failed.append(error)
    return failed, len(names)


if __name__ == "__main__":
    main()
