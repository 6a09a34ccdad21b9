"""Training steps of a translator: the first Transformer against PyTorch's encoder and decoder."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.timing import alternate, compare, timer
from numgpt import AdamW, Transformer, TransformerConfig
from numgpt.training import clip_gradients

BUNDLED = TransformerConfig(6000, 192, 6, 768, 3, norm_first=True, final_norm=True, dropout=0.1)
SETTINGS = {"lr": 1.5e-3, "betas": (0.9, 0.98), "weight_decay": 0.01}


@dataclass
class TranslationStep:
    """Forward, backward, clipping and AdamW, with dropout, on B pairs of at most S and T tokens, ends included."""

    B: int
    S: int
    T: int
    runs: int

    peer = "nn.Transformer + AdamW"
    packages = ("torch",)

    @cached_property
    def batch(self):
        """Pairs as in training's batches by length: at most the last fifth of a text is padding."""
        rng = np.random.default_rng(0)
        src, tgt = (rng.integers(3, BUNDLED.vocab, (self.B, n)) for n in (self.S, self.T))
        for rows in src, tgt:
            width = rows.shape[1]
            rows[np.arange(width) >= rng.integers(width - width // 5, width, (self.B, 1), endpoint=True)] = 0
        tgt[:, 0] = 1
        return src, tgt, 0.1

    def measure(self, runs):
        from benchmarks.torch_transformer import copy_of

        model = Transformer(BUNDLED)
        theirs = copy_of(model)
        ours, other = model.eval().loss(*self.batch), their_loss(theirs.eval(), *self.batch).item()
        assert abs(ours - other) < 1e-4, (ours, other)
        step, their_step = steps(model), their_steps(theirs)
        sides = {"peer": timer(lambda: their_step(*self.batch)), "numgpt": timer(lambda: step(*self.batch))}
        measured = alternate(sides, runs)
        return compare(measured["peer"], measured["numgpt"])


def steps(model, settings=SETTINGS):
    """A function that takes one step on (src, tgt, label_smoothing) and returns the loss before it."""
    optimizer = AdamW(model.train(), **settings)

    def step(src, tgt, label_smoothing, lr=None):
        optimizer.lr = lr or settings["lr"]
        model.zero_grad()
        loss = model.loss(src, tgt, label_smoothing)
        model.backward()
        clip_gradients(model, 1.0)
        optimizer.step()
        return loss

    return step


def their_steps(model, settings=SETTINGS):
    """`steps` for a TorchTransformer; only matrices decay, as in ours."""
    import torch

    decay = settings["weight_decay"]
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings["lr"], betas=settings["betas"])
    model.train()

    def step(src, tgt, label_smoothing, lr=None):
        for group in optimizer.param_groups:
            group["lr"] = lr or settings["lr"]
        optimizer.zero_grad(set_to_none=True)
        loss = their_loss(model, src, tgt, label_smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def their_loss(model, src, tgt, label_smoothing):
    import torch

    return model.loss(torch.from_numpy(src), torch.from_numpy(tgt), label_smoothing)
