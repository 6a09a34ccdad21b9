"""Training by several processes against training by one: numgpt against itself, both started as a user starts them."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.timing import alternate, compare
from tools.kill_saving import AS_ROOT, MPIEXEC

ROOT = Path(__file__).resolve().parents[2]
WARM = 3  # first steps, which are not counted


@dataclass
class ManyProcesses:
    """A step of `numgpt train` with `options`, by two processes and by one.

    mpi: the two are ranks of mpiexec with a core each, and the one process has a core too; otherwise it has both.
    """

    options: dict
    runs: int
    mpi: bool = False
    inputs: object = None
    needs: tuple = field(default=("text",))

    peer = "numgpt, one process"

    @property
    def packages(self):
        return ("mpi4py",) if self.mpi else ()

    def measure(self, runs):
        sides = {"peer": lambda: self.seconds(1), "numgpt": lambda: self.seconds(2)}
        measured = alternate(sides, runs)
        return compare(measured["peer"], measured["numgpt"])

    def seconds(self, n):
        """The median time of a step."""
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            words = [sys.executable, "-m", "numgpt", "train", "--data", self.inputs.text, "--out", run]
            words += [f"--{name}={value}" for name, value in self.options.items()]
            if "tokenizer" not in self.options:
                words += ["--tokenizer", self.inputs.vocabulary]
            if not self.mpi:
                words += ["--processes", n]
            elif n > 1:
                words = [MPIEXEC or "mpiexec", "-n", n, "--bind-to", "core", *words]
            start = None if n > 1 or not self.mpi else lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            environment = (
                os.environ | AS_ROOT | {"PYTHONPATH": str(ROOT)} | ({"OPENBLAS_NUM_THREADS": "1"} if self.mpi else {})
            )
            quiet = {"stdout": subprocess.DEVNULL, "env": environment, "preexec_fn": start}
            subprocess.run([str(word) for word in words], check=True, **quiet)
            records = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
        tokens = self.options["batch-size"] * self.options["context"]
        return median(tokens / record["tokens_per_second"] for record in records if record["step"] > WARM)


CHARACTERS = {
    "tokenizer": "char",
    "n-layer": 4,
    "n-head": 4,
    "n-embd": 128,
    "batch-size": 12,
    "context": 64,
    "max-steps": 100,
    "eval-every": 1000,
    "eval-batches": 1,
    "dropout": 0,
}
SMALL = {
    "n-layer": 12,
    "n-head": 12,
    "n-embd": 768,
    "batch-size": 4,
    "context": 64,
    "dropout": 0,
    "max-steps": 7,
    "eval-every": 1000,
    "eval-batches": 1,
    "keep": 1,
}
