"""What the terminal shows of a run: a progress bar, evaluations with a sample of text, and a curve at the end."""

import math
import sys
import threading
import time
from contextlib import suppress

from numgpt.cli.arguments import wrapped
from numgpt.errors import InputError
from numgpt.training import metrics

LINE_SECONDS = 30
WAIT_SECONDS = 1  # between two looks at the clock


class Report:
    """Shows the steps of a Session: a bar on a terminal; elsewhere, a line per evaluation and every 30 s.

    Lines are printed after a step. If a step or an evaluation takes longer, a thread repeats the last line.
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
        """Move the bar; without a bar, print a line if LINE_SECONDS would pass before the next step ends."""
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
        """Until the run ends, repeat the line of the last step whenever none was printed for LINE_SECONDS."""
        while not self.ended.wait(WAIT_SECONDS):
            now = time.perf_counter()
            if self.last is not None and now - self.said > LINE_SECONDS - WAIT_SECONDS:
                self.said = now
                with suppress(OSError, ValueError):  # a closed pipe ends the run at its next line, not here
                    self.say(f"{self.line(self.last)}, still working")

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
        sys.stdout.write(f"{text}\n")  # in one call, because two threads write
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
        """The speed, and the time that is left."""
        done = record["step"] - self.first_step
        left = (time.perf_counter() - self.started) / done * (self.session.settings.max_steps - record["step"])
        return f"{record['tokens_per_second']:,.0f} tokens/s, {duration(left)} left"


def introduction(session):
    """What is trained, and what the loss means."""
    model, trainer = session.trainer.model, session.trainer
    n, unit = session.n_choices, unit_of(session)
    letter, choice = ("K", "label") if unit == "text" else ("V", "token")
    begun = [] if trainer.steps == 0 else [f"Continuing after step {trainer.steps}."]
    sizes = (
        f"{model.values.size:,} parameters, {trainer.batches.part.amount} to train on, "
        f"{session.held_out.part.amount} held out."
    )
    meaning = (
        f"To an untrained model, every {choice} is equally likely: its loss is ln({letter}) = ln({n}) = "
        f"{math.log(n):.2f} nats per {unit}. Any lower loss is learnt."
    )
    notices = [session.notice] if session.notice else []
    return "\n".join(wrapped(line, sys.stdout) for line in (*begun, meaning, sizes, *notices))


def unit_of(session):
    """What a loss is measured per: a text or a token."""
    return "text" if session.settings.task == "classify" else "token"


def accuracy(record):
    """The share of held-out texts whose label was right, and their number, in words."""
    return f"accuracy {100 * record['accuracy']:.2f} % of {record['val_texts']:,}"


def best_accuracy(session):
    """The accuracy of the checkpoint that `numgpt classify` reads, as a line; None without labels."""
    best = session.trainer.best
    for record in reversed(metrics.read(session.run)):
        if best and record["step"] == best.step and "accuracy" in record:
            return f"held out, at step {best.step}, which has the lowest loss: {accuracy(record)} texts"
    return None


def indented(text):
    """The text with indented lines and without control characters, which would move the terminal's cursor."""
    shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    return "\n".join(f"    {line}" for line in shown.strip("\n").split("\n"))


def duration(seconds):
    """Seconds as "35 s", "12 min" or "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
