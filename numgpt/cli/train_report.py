"""What the terminal shows of a run: a bar that moves, evaluations with a sample of text, and at the end a curve."""

import math
import sys
import threading
import time
from contextlib import suppress

from numgpt.cli.arguments import wrapped
from numgpt.errors import InputError
from numgpt.training import metrics

LINE_SECONDS = 30
WAIT_SECONDS = 1  # from one look at the clock to the next


class Report:
    """Shows the steps of a Session: a bar on a terminal; elsewhere a line per evaluation, and every 30 s.

    Lines are printed after a step. Where a step or an evaluation takes longer, a thread says the last line again.
    """

    def __init__(self, session):
        self.session = session
        self.bar = None
        self.started, self.first_step = time.perf_counter(), session.trainer.steps
        self.said, self.stepped = None, self.started  # when a line about a step was printed, and when a step ended
        self.last = None  # record of a step
        self.ended = threading.Event()

    def __enter__(self):
        print(introduction(self.session), flush=True)
        if sys.stderr.isatty():
            from tqdm import tqdm

            total = self.session.settings.max_steps
            self.bar = tqdm(total=total, initial=self.first_step, unit="step", dynamic_ncols=True)
        else:
            threading.Thread(target=self.break_silence, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        self.ended.set()
        if self.bar is not None:
            self.bar.close()
        if kind is not None and not issubclass(kind, InputError):
            return
        from numgpt.training.plot import draw_losses

        said = draw_losses(self.session.run, self.session.n_choices, unit_of(self.session))
        if said:
            print(said)

    def step(self, record):
        """Move the bar; where there is none, print a line where LINE_SECONDS would pass before the next step ends."""
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {record['loss']:.3f}, {self.pace(record)}", refresh=False)
            self.bar.update()
            return
        now = time.perf_counter()
        if self.said is None or now - self.said + (now - self.stepped) > LINE_SECONDS:
            self.say(self.line(record))
            self.said = now
        self.stepped, self.last = now, record

    def break_silence(self):
        """Until the end, say the last step again where nothing has been said of one for LINE_SECONDS."""
        while not self.ended.wait(WAIT_SECONDS):
            now = time.perf_counter()
            if self.last is not None and now - self.said > LINE_SECONDS - WAIT_SECONDS:
                self.said = now
                with suppress(OSError, ValueError):  # that nobody reads any more ends the run at its next line
                    self.say(f"{self.line(self.last)}, working on what follows")

    def evaluated(self, record):
        """Show the losses."""
        if record["step"] > self.first_step:
            self.said = time.perf_counter()
        self.say(self.line(record))

    def sample(self, model):
        """Show what the model writes."""
        text = self.session.sample(model)
        if text:
            self.say(f"{indented(text)}\n")

    def say(self, text):
        """Print above the bar."""
        if self.bar is not None:
            self.bar.clear()
        sys.stdout.write(f"{text}\n")  # at once, as two threads do
        sys.stdout.flush()

    def line(self, record):
        """The record in words."""
        parts = [f"step {record['step']:5}"]
        if "loss" in record:
            parts.append(f"loss {record['loss']:.4f}")
        if "val_loss" in record:
            parts.append(f"held out {record['val_loss']:.4f}")
        if "val_loss_per_character" in record:
            parts.append(f"({record['val_loss_per_character']:.4f} a character)")
        if "bleu" in record:
            parts.append(f"BLEU {record['bleu']:.1f}")
        if "accuracy" in record:
            parts.append(accuracy(record))
        if "tokens_per_second" in record:
            parts.append(f" {self.pace(record)}")
        return " ".join(parts)

    def pace(self, record):
        """How fast it goes, and how long it will take."""
        done = record["step"] - self.first_step
        left = (time.perf_counter() - self.started) / done * (self.session.settings.max_steps - record["step"])
        return f"{record['tokens_per_second']:,.0f} tokens/s, {duration(left)} left"


def introduction(session):
    """What is trained, and what its loss means."""
    model, trainer = session.trainer.model, session.trainer
    n, unit = session.n_choices, unit_of(session)
    letter, choice = ("K", "label") if unit == "text" else ("V", "token")
    begun = [] if trainer.steps == 0 else [f"Continuing after step {trainer.steps}."]
    sizes = (
        f"{model.values.size:,} parameters, {trainer.batches.part.amount} to train on, "
        f"{session.held_out.part.amount} held out."
    )
    meaning = (
        f"The loss of an untrained model is ln({letter}) = ln({n}) = {math.log(n):.2f} nats per {unit}, every {choice} "
        "being as likely as any other; all below that is learnt."
    )
    notices = [session.notice] if session.notice else []
    return "\n".join(wrapped(line, sys.stdout) for line in (*begun, meaning, sizes, *notices))


def unit_of(session):
    """What a loss is one of."""
    return "text" if session.settings.task == "classify" else "token"


def accuracy(record):
    """The share of held-out texts whose label was right, and of how many, in words."""
    return f"accuracy {100 * record['accuracy']:.2f} % of {record['val_texts']:,}"


def best_accuracy(session):
    """The accuracy of the checkpoint that `numgpt classify` reads, as a line; None where there are no labels."""
    best = session.trainer.best
    for record in reversed(metrics.read(session.run)):
        if best and record["step"] == best.step and "accuracy" in record:
            return f"held out, after step {best.step}, whose loss was the lowest: {accuracy(record)} texts"
    return None


def indented(text):
    """The text, its lines set off from those of the report; control characters would move the terminal's cursor."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    return "\n".join(f"    {line}" for line in shown.strip("\n").split("\n"))


def duration(seconds):
    """Seconds as "35 s", "12 min" or "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
