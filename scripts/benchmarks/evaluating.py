"""A task of `numgpt evaluate`, compared with transformers on the same windows in the same batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.inference import SMALL
from benchmarks.peers import copy_weights, transformers_model
from benchmarks.timing import alternate, compare, timer
from numgpt import GPT
from numgpt.evaluation.scorer import padded, score_windows
from numgpt.evaluation.tasks import TASKS
from numgpt.tokenizer import load_tokenizer

BATCH = 8


@dataclass
class Evaluation:
    """The log-probabilities of the first n_units of a task, under the 124M shape with random weights.

    The peer computes all logits, as transformers does by default, but the log-probabilities of the scored tokens only.
    """

    task: str
    text: str  # the option that names the file
    n_units: int
    runs: int

    peer = "transformers, as they"
    packages = ("torch", "transformers")

    @property
    def needs(self):
        return "vocabulary", self.text

    def measure(self, runs):
        windows, n_all = self.windows()
        model, theirs = GPT(SMALL), transformers_model(SMALL)
        copy_weights(model, theirs)
        found = score_windows(model, windows, BATCH)
        expected = their_scores(theirs, windows)
        assert all(np.allclose(score.logprobs, other, atol=1e-3) for score, other in zip(found, expected, strict=True))
        measured = alternate(
            {
                "peer": timer(lambda: their_scores(theirs, windows)),
                "numgpt": timer(lambda: score_windows(model, windows, BATCH)),
            },
            runs,
        )
        row = compare(measured["peer"], measured["numgpt"])
        share = n_all / sum(len(window.ids) for window in windows)
        return row | {f"{side}_minutes_for_all": row[f"{side}_median"] * share / 60 for side in ("peer", "numgpt")}

    def windows(self):
        """(the Windows of the first units, the number of tokens in those of the whole text)."""
        path = Path(getattr(self.inputs, self.text))
        tokenizer = load_tokenizer(self.inputs.vocabulary)
        units, _ = TASKS[self.task].prepare(path.read_bytes().decode("utf-8"), path, tokenizer, SMALL.n_ctx)
        n_all = sum(len(window.ids) for unit in units for window in unit.windows)
        return [window for unit in units[: self.n_units] for window in unit.windows], n_all


def their_scores(model, windows):
    """The log-probabilities of each Window's scored ids, arrays, in batches of similar length."""
    import torch

    scores = [None] * len(windows)
    by_length = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
    for first in range(0, len(windows), BATCH):
        batch = by_length[first : first + BATCH]
        ids = torch.from_numpy(padded([windows[i].ids[:-1] for i in batch]))
        with torch.no_grad():
            logits = model(ids).logits
            for i, row in zip(batch, logits, strict=True):
                end, n = len(windows[i].ids) - 1, windows[i].n_scored
                targets = torch.tensor(windows[i].ids[-n:])[:, None]
                scores[i] = row[end - n : end].log_softmax(-1).gather(1, targets)[:, 0].numpy()
    return scores
