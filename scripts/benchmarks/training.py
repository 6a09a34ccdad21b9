"""Training steps."""

from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

from benchmarks.limits import shares, training_limit
from benchmarks.peers import copy_weights, transformers_model
from benchmarks.timing import alternate, compare, timer
from numgpt import GPT, AdamW, GPTConfig
from numgpt.training import clip_gradients

CHARACTERS = GPTConfig(n_vocab=65, n_ctx=64, n_embd=128, n_head=4, n_layer=4)


@dataclass
class TrainingStep:
    """Forward, backward, clipping and AdamW on one batch of B sequences of T tokens."""

    config: GPTConfig
    B: int
    T: int
    make_peer: object
    runs: int
    has_peak: bool = True  # whether the memory of `steps` is measured, in a separate process
    recompute: bool = False  # numgpt's blocks run forward twice

    settings = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.1}

    @property
    def peer(self):
        return "transformers + AdamW" if self.make_peer is transformers_model else "PyTorch + AdamW"

    @property
    def packages(self):
        return ("torch", "transformers") if self.make_peer is transformers_model else ("torch",)

    @cached_property
    def batch(self):
        return np.random.default_rng(0).integers(0, self.config.n_vocab, (2, self.B, self.T))

    def measure(self, runs):
        model, theirs = GPT(self.config, recompute=self.recompute), self.make_peer(self.config)
        copy_weights(model, theirs)
        step, their_step = self.step(model), self.their_step(theirs)
        for _ in range(2):
            assert abs(step() - their_step()) < 1e-3
        limit = training_limit(self.config, self.B, self.T)
        measured = alternate({"peer": timer(their_step), "numgpt": timer(step), "limit": limit.seconds}, runs)
        work = {side: median(measured[side]) for side in ("peer", "numgpt")}
        return compare(measured["peer"], measured["numgpt"]) | shares(limit, measured["limit"], work)

    def steps(self, side):
        """Two steps, for a process's peak memory: AdamW has its moments only from the second on."""
        if side == "numgpt":
            step = self.step(GPT(self.config, recompute=self.recompute))
        else:
            step = self.their_step(self.make_peer(self.config))
        for _ in range(2):
            step()

    def step(self, model):
        optimizer = AdamW(model, **self.settings)

        def step():
            model.zero_grad()
            loss = model.loss(*self.batch)
            model.backward()
            clip_gradients(model, 1.0)
            optimizer.step()
            return loss

        return step

    def their_step(self, model):
        import torch

        optimizer = torch.optim.AdamW(model.parameters(), **self.settings)
        ids, targets = torch.from_numpy(self.batch)

        def step():
            optimizer.zero_grad(set_to_none=True)
            logits = model(ids)
            logits = getattr(logits, "logits", logits)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            return loss.item()

        return step
