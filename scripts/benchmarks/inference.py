"""Reading a text and continuing it, with the model in memory."""

from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

import numgpt
from benchmarks.limits import decoding_limit, forward_limit, shares
from benchmarks.peers import copy_weights, transformers_model
from benchmarks.timing import alternate, compare, timer
from numgpt import GPT, GPTConfig
from numgpt.model import KVCache

SMALL = GPTConfig()  # the 124M shape


@dataclass
class Decode:
    """Greedy generation of B sequences at once: 32 tokens read, 64 written.

    The limit is that of the 63 steps that read one token per sequence; the time of the first token is subtracted.
    """

    B: int

    peer = "transformers generate"
    packages = ("torch", "transformers")
    runs = 9

    def measure(self, runs):
        ids = np.random.default_rng(0).integers(0, SMALL.n_vocab, (self.B, 32))
        model, theirs = GPT(SMALL), transformers_model(SMALL)
        copy_weights(model, theirs)
        limit = decoding_limit(SMALL, self.B)

        def generate(n):
            return numgpt.generate(model, ids, max_new_tokens=n, temperature=0)

        def their_generate(n):
            import torch

            prompt = torch.from_numpy(ids)
            mask = torch.ones_like(prompt)
            return theirs.generate(prompt, attention_mask=mask, max_new_tokens=n, do_sample=False).numpy()

        assert np.array_equal(generate(64), their_generate(64))
        measured = alternate(
            {
                "peer": timer(lambda: their_generate(64)),
                "numgpt": timer(lambda: generate(64)),
                "peer first": timer(lambda: their_generate(1)),
                "numgpt first": timer(lambda: generate(1)),
                "limit": limit.seconds,
            },
            runs,
        )
        steps = {side: step_seconds(measured[side], measured[f"{side} first"], 63) for side in ("peer", "numgpt")}
        row = compare(measured["peer"], measured["numgpt"]) | shares(limit, measured["limit"], steps)
        return row | {f"{side}_seconds_a_step": seconds for side, seconds in steps.items()}


def step_seconds(whole, first, n):
    """Seconds per step for the `n` steps after the first token: the median of `whole` less that of `first`."""
    return (median(whole) - median(first)) / n


@dataclass
class Forward:
    """1024 tokens read at once: the logits of all positions, or of the last alone, as generation needs it."""

    last_only: bool

    runs = 7
    peer = "transformers forward"
    packages = ("torch", "transformers")

    @cached_property
    def ids(self):
        return np.random.default_rng(0).integers(0, SMALL.n_vocab, (1, 1024))

    def measure(self, runs):
        self.model, self.their_model = GPT(SMALL), transformers_model(SMALL)
        copy_weights(self.model, self.their_model)
        limit = forward_limit(SMALL, 1, 1024, 1 if self.last_only else 1024)
        theirs = self.their_forward()[-1:] if self.last_only else self.their_forward()
        assert np.abs(self.forward() - theirs).max() < 1e-4
        measured = alternate(
            {"peer": timer(self.their_forward), "numgpt": timer(self.forward), "limit": limit.seconds}, runs
        )
        work = {side: median(measured[side]) for side in ("peer", "numgpt")}
        return compare(measured["peer"], measured["numgpt"]) | shares(limit, measured["limit"], work)

    def forward(self):
        if self.last_only:
            return self.model.next_logits(self.ids, KVCache(self.model, 1))
        return self.model.forward(self.ids)[0]

    def their_forward(self):
        import torch

        with torch.no_grad():
            return self.their_model(torch.from_numpy(self.ids), use_cache=self.last_only).logits[0].numpy()
