"""One training run in memory: a model, its optimizer, its batches, and the step that joins them."""

import math
from contextlib import contextmanager
from dataclasses import dataclass

from numgpt.backend import check_memory
from numgpt.errors import InputError
from numgpt.training.best import after, read_best
from numgpt.training.optimizer import AdamW, clip_gradients, squared_norm
from numgpt.training.parallel.buckets import Reduction, parts_of, pieces
from numgpt.training.parallel.rows import Dealing
from numgpt.training.parallel.team import ALONE, ARRAYS, STEP
from numgpt.training.schedule import rate_of


class Diverged(InputError):
    """The loss, the gradient or a weight is no longer a finite number."""


@dataclass(frozen=True)
class Step:
    """One step. step: how many have been made; loss: before it, in nats per token; norm: before clipping."""

    step: int
    loss: float
    lr: float
    norm: float


class Trainer:
    """Everything that a step changes: `state` and `arrays` together are the whole state of a run.

    model: a GPT, Transformer or Classifier, which is put in train mode. batches: those of its task, such as Windows or
    PairBatches. settings: a Settings. team: the processes that make each step together; by default this one alone.
    tokens_read: in the last step. All randomness comes from two generators, that of the batches and the model's own,
    for dropout. Raises InputError for a batch that does not fit in memory.
    """

    def __init__(self, model, batches, settings, team=ALONE):
        self.model, self.batches, self.settings, self.team = model.train(), batches, settings, team
        self.check_batch()
        betas = settings.beta1, settings.beta2
        self.dealing, self.reduction = Dealing(model, team.rank, team.size), Reduction(model, team)
        parts = parts_of(model.values.size, team.rank, team.size)
        self.optimizer = AdamW(model, settings.lr, betas, weight_decay=settings.weight_decay, parts=parts)
        self.average = model.values.copy() if settings.ema else None
        self.best = None
        self.tokens_read = 0

    def check_batch(self):
        """Raise InputError if the weights and what a batch keeps for backward exceed the device's memory."""
        model = self.model
        n_bytes = (
            self.batches.n_kept(model.config, self.settings.recompute) * model.dtype.itemsize + 4 * model.values.nbytes
        )
        check_memory(n_bytes, f"training with {self.batches.size} in a batch", model.device)

    @property
    def steps(self):
        """How many steps have been made."""
        return self.optimizer.steps

    @property
    def finished(self):
        """Whether all steps of the settings have been made, or patience has run out."""
        return self.steps >= self.settings.max_steps or self.out_of_patience

    @property
    def out_of_patience(self):
        """Whether `patience` evaluations in a row have been no better than the best."""
        return self.best is not None and 0 < self.settings.patience <= self.best.since

    def note(self, val_loss):
        """Compare the current loss on held-out text with the best so far."""
        self.best = after(self.best, self.steps, val_loss, counts=self.steps % self.settings.eval_every == 0)

    def step(self):
        """Make one step; return the Step. Raises Diverged, leaving the weights as they were."""
        settings, optimizer, team = self.settings, self.optimizer, self.team
        team.say(STEP)
        loss = self.accumulate_gradients()
        norm = clip_gradients(self.model, settings.clip or math.inf, team)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise Diverged(f"step {self.steps + 1}: the loss is {loss}, the gradient's norm {norm}: training diverged")
        optimizer.lr = rate_of(self.steps, settings)
        optimizer.step()
        team.share(self.model.values)
        if self.average is not None:
            self.update_average()
        return Step(self.steps, loss, optimizer.lr, norm)

    def accumulate_gradients(self):
        """Set the gradients to those of the mean loss over all targets of `accumulate` fresh batches; return that loss.

        In a team, each process computes the gradients of its own rows, and gets the sum of all for its own parts.

        A batch's gradient is that of a mean over its n_i targets, and has to be weighted by n_i. So the sum so far is
        rescaled before the next batch, to grads = sum_j n_j/n_i grads_j; after the last, n_i/sum_j n_j times that is
        the mean.
        """
        self.model.zero_grad()
        self.tokens_read, total, loss, before = 0, 0, 0.0, None
        for i in range(self.settings.accumulate):
            batch = self.batches.draw()
            n_all, read = self.batches.count(*batch)
            total += n_all
            self.tokens_read += read
            own, learning = self.dealing.own(batch)
            mean = self.model.loss(*own)
            if learning:
                n, _ = self.batches.count(*own)
                if before not in (None, n):
                    self.model.grads *= before / n
                loss += mean * n
                before = n
            if i == self.settings.accumulate - 1:
                self.reduction.begin(before / total if before is not None else 1)
            if learning:
                self.model.backward()
        self.reduction.finish()
        return self.team.sum(loss) / total

    def update_average(self):
        """average += (1 - decay) (weights - average), where decay rises to settings.ema.

        Early on the average would consist of the random initial weights; (1 + t) / (10 + t) forgets them (as in
        TensorFlow's ExponentialMovingAverage).
        """
        decay = min(self.settings.ema, (1 + self.steps) / (10 + self.steps))
        difference = self.model.values - self.average
        difference *= 1 - decay
        self.average += difference

    def check_finite(self):
        """Raise Diverged unless all weights are finite numbers."""
        if not math.isfinite(squared_norm(self.model.values)):
            raise Diverged(f"after step {self.steps} the weights are no longer finite numbers: training diverged")

    @contextmanager
    def weights_to_keep(self):
        """A context in which the model has the averaged weights, if there are any, and is in eval mode."""
        self.model.eval()
        raw = None
        if self.average is not None:
            raw = self.model.values.copy()
            self.model.values[...] = self.average
        try:
            yield self.model
        finally:
            if raw is not None:
                self.model.values[...] = raw
            self.model.train()

    def arrays(self):
        """name -> flat array of all numbers that the next step depends on; no copies, except the moments of a team."""
        self.team.say(ARRAYS)
        n = self.model.values.size
        m, v = (self.team.gather(own, n) for own in (self.optimizer.m, self.optimizer.v))
        arrays = {"weights": self.model.values, "m": m, "v": v}
        return arrays if self.average is None else {**arrays, "average": self.average}

    def state(self):
        """The number of steps and the generators' states, for JSON; integers have up to 128 bits."""
        return {
            "step": self.steps,
            "batches": self.batches.state(),
            "dropout": self.model.rng.bit_generator.state,
            "best": self.best.as_dict() if self.best else None,
        }

    def joining(self, team):
        """The Trainer of this process as a member of `team`, at the same step; this one must not be used any more."""
        joined = Trainer(self.model, self.batches, self.settings, team)
        for mine, its in (self.optimizer.m, joined.optimizer.m), (self.optimizer.v, joined.optimizer.v):
            for part, piece in pieces(its, joined.optimizer.parts):
                piece[...] = mine[part]
        joined.average = self.average
        joined.set_state(self.state())
        return joined

    def set_state(self, state):
        """Continue from what `state` returned."""
        self.optimizer.steps = state["step"]
        self.batches.set_state(state["batches"])
        self.model.rng.bit_generator.state = state["dropout"]
        self.best = read_best(state.get("best"), self.steps)
