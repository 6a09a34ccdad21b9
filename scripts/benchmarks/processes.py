"""Work of a separate process, measured from its start, or for its peak memory."""

import json
import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory

from benchmarks.peers import be_quiet
from benchmarks.timing import alternate, compare, timer
from numgpt import GPT, GPTConfig

HERE = Path(__file__).parent
PROMPT = "The old man went down to the sea, where his boat lay, and looked at the sky."


def run(*command):
    """(seconds from the start to the end of a Python process, what it prints)."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")
    return seconds, done.stdout


def run_script(name, *arguments):
    """(seconds, the JSON object that a script in this folder prints)."""
    seconds, printed = run(HERE / name, *arguments)
    return seconds, json.loads(printed)


@cache
def model_folder():
    """A TemporaryDirectory with random weights of the 124M shape in safetensors, removed when the process ends."""
    folder = TemporaryDirectory()
    GPT(GPTConfig()).save(folder.name)
    return folder


class Load:
    """From a folder with safetensors, in the page cache, to a model that can be called."""

    peer = "transformers load"
    packages = ("torch", "transformers")
    runs = 9

    def measure(self, runs):
        import numpy as np
        import torch
        from transformers import GPT2LMHeadModel

        import numgpt

        be_quiet()
        folder = model_folder().name

        def load():
            return numgpt.load(folder)[0]

        def their_load():
            return GPT2LMHeadModel.from_pretrained(folder)

        ids = np.arange(5)[None]
        with torch.no_grad():
            theirs = their_load()(torch.from_numpy(ids)).logits.numpy()
        assert np.abs(load().forward(ids) - theirs).max() < 1e-4
        measured = alternate({"peer": timer(their_load), "numgpt": timer(load)}, runs)
        return compare(measured["peer"], measured["numgpt"])


class FirstToken:
    """From the start of a process to its end after one token: imports, loading, reading 32 ids."""

    peer = "transformers process"
    packages = ("torch", "transformers")
    runs = 7

    def measure(self, runs):
        folder = model_folder().name
        scripts = {"peer": "generate_transformers.py", "numgpt": "generate_numgpt.py"}
        first = {side: run_script(script, folder, 1)[1]["ids"] for side, script in scripts.items()}
        assert first["peer"] == first["numgpt"]
        measured = alternate(
            {side: lambda script=script: run_script(script, folder, 1)[0] for side, script in scripts.items()}, runs
        )
        return compare(measured["peer"], measured["numgpt"])


class FirstTokenOfText:
    """The same from a text, with vocabulary files: numgpt's command line, and transformers' AutoTokenizer."""

    peer = "transformers process"
    packages = ("torch", "transformers")
    needs = ("vocabulary",)
    runs = 7

    def measure(self, runs):
        folder = model_folder().name
        add_vocabulary(self.inputs.vocabulary, folder)
        rest = ("--max-new-tokens", 1, "--temperature", 0, PROMPT)
        commands = {
            "peer": (HERE / "generate_transformers.py", folder, 1, PROMPT),
            "numgpt": ("-m", "numgpt", "generate", "--model", folder, *rest),
        }
        assert len({run(*command)[1] for command in commands.values()}) == 1
        measured = alternate(
            {side: lambda command=command: run(*command)[0] for side, command in commands.items()}, runs
        )
        return compare(measured["peer"], measured["numgpt"])


def add_vocabulary(source, folder):
    """Copy GPT-2's vocabulary files, under either name, to a model's folder under Hugging Face's names."""
    for name, other in (("vocab.json", "encoder.json"), ("merges.txt", "vocab.bpe")):
        found = Path(source, name)
        copyfile(found if found.exists() else Path(source, other), Path(folder, name))


class MemoryOfGeneration:
    """The peak memory of a process that loads a folder with safetensors, reads 32 ids and writes 64 more."""

    peer = "transformers process"
    packages = ("torch", "transformers")
    runs = 2

    def measure(self, runs):
        folder = model_folder().name
        weights = Path(folder, "model.safetensors").stat().st_size / 1e6
        scripts = {"peer": "generate_transformers.py", "numgpt": "generate_numgpt.py"}
        measured = alternate(
            {side: lambda name=name: run_script(name, folder, 64)[1]["peak_mb"] for side, name in scripts.items()}, runs
        )
        row = compare(measured["peer"], measured["numgpt"], unit="MB")
        over = {f"{side}_over_weights_mb": row[f"{side}_median"] - weights for side in scripts}
        return row | {"weights_mb": weights} | over
