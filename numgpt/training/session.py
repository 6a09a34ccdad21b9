"""Setting a run up: from a data file and settings, or from the checkpoint where it stopped."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from numgpt.backend import to_device
from numgpt.checkpoint import open_checkpoint
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import LATEST, choose_checkpoint, quoted
from numgpt.kernels import set_precision
from numgpt.loading import load, read_folder
from numgpt.model import GPT
from numgpt.numbers import check_number
from numgpt.tokenizer import load_tokenizer, no_vocabulary
from numgpt.training import state
from numgpt.training.best import read_best
from numgpt.training.data import DataRecord, check_tokens, open_tokens, prepare
from numgpt.training.evaluate import HeldOut
from numgpt.training.metrics import NAME as METRICS
from numgpt.training.schedule import learning_rate
from numgpt.training.settings import HARMLESS, Settings
from numgpt.training.source import read_source
from numgpt.training.tokenizers import check_kept, choose_tokenizer, say_end_of_text
from numgpt.training.trainer import Trainer

DATA = "data"


@dataclass(frozen=True)
class Session:
    """A run that can take its next step.

    run: its folder. tokenizer is None where the data are tokens only. notice: lines for the user on how the text or
    the settings were taken, or None.
    """

    run: Path
    settings: Settings
    data: DataRecord
    tokenizer: object
    trainer: Trainer
    held_out: HeldOut
    notice: str | None = None

    def save(self):
        """Write a checkpoint. Raises OSError as the disk does, Diverged for weights that are no finite numbers."""
        self.trainer.check_finite()
        about = {"settings": self.settings.as_dict(), "data": self.data.as_dict()}
        state.save(self.run, self.trainer, self.tokenizer, about, self.settings.keep)


def begin(run, data, settings, progress=None, device="cpu", precision="float32", val_data=None):
    """A new run in the folder `run`, which is made, on the file `data`.

    val_data: the file that is held out; without it, it is the end of `data`. "-" is standard input. progress: see
    `choose_tokenizer`. device: "cpu" or "cuda"; precision: see `numgpt.kernels.set_precision`; both are this process's
    and not the run's, which can change them. Raises InputError where they cannot be had, for a folder that holds
    a run already, for data that cannot be used and for settings that do not go together; OSError as the disk does.
    """
    set_precision(precision, device)
    check_vacant(run)
    existed = run.exists()
    source = read_source(data, val_data)
    start = None
    if settings.init:
        start, tokenizer = load(settings.init, dtype=settings.dtype)
    else:
        tokenizer = choose_tokenizer(source, settings, progress)
    if tokenizer is None and source.documents is not None:
        raise InputError(f"{no_vocabulary(settings.init)}; or give tokens (.npy) in place of {data}, which is a text")
    model = build(settings, source, tokenizer, start, device)
    settings = replace(settings, **{name: getattr(model.config, name) for name in ("n_layer", "n_head", "n_embd")})
    try:
        (run / DATA).mkdir(parents=True, exist_ok=True)
        if tokenizer is not None:
            check_kept(tokenizer, run / DATA)
        record = prepare(source, tokenizer, settings, run / DATA, model.config.n_vocab)
        end_of_text = say_end_of_text(source, tokenizer, settings)
        notices = [line for file in source.files for line in file.notices]
        notice = "\n".join(dict.fromkeys(line for line in (end_of_text, *notices) if line)) or None
        return open_session(run, settings, record, tokenizer, model, notice)
    except BaseException:
        shutil.rmtree(run / DATA if existed else run, ignore_errors=True)  # or the next try would find a run there
        raise


def resume(run, options, data=None, device="cpu", precision="float32", val_data=None, max_steps=None, which=LATEST):
    """The run in the folder `run`, at a checkpoint of it, with all that an interrupted save left swept away.

    options: the settings that the caller names (name -> value), data and val_data: the files that he names; all must be
    what the run was begun with, but for HARMLESS, which then hold. which: "latest", "best" or a number of steps in
    digits; checkpoints and records of more steps are removed, once all else has succeeded. max_steps: how many steps
    it is to have from now on, if more than it had: the learning rate of each step that is left is then what the
    schedule of so many steps has for it, and so may rise again. device, precision: as for `begin`. Raises InputError
    where options or files are not, for a device that cannot be used, and where there is no such checkpoint.
    """
    set_precision(precision, device)
    checkpoint = find_checkpoint(run, which)
    stored = state.read_state(checkpoint)
    try:
        settings = Settings(**stored["settings"])
        record = DataRecord(**stored["data"])
        check_number(stored["step"], "step", below=settings.max_steps + 1)
        best = read_best(stored.get("best"), stored["step"])
    except (KeyError, TypeError, InputError) as error:
        reason = f"{checkpoint / state.STATE} does not hold the settings of a run"
        raise InputError(f"{reason}: {quoted(str(error))}") from None
    notice = None
    if max_steps is not None and max_steps > settings.max_steps:
        longer = replace(settings, max_steps=max_steps)
        settings, notice = longer, say_more_steps(settings, longer, stored["step"])
    elif max_steps is not None:
        options = {**options, "max_steps": max_steps}
    settings = replace(settings, **{name: value for name, value in options.items() if name in HARMLESS})
    differences = settings.differences(options) + record.differences(data, val_data)
    if differences:
        raise InputError(f"{run} cannot be continued: {'; '.join(differences)}; leave that out, or begin another run")
    check_tokens(run / DATA, record)
    config = state.read_config(checkpoint, settings.dropout)
    session = open_session(
        run, settings, record, load_tokenizer(checkpoint), GPT(config, None, settings.dtype, device), notice
    )
    state.restore(checkpoint, session.trainer, stored)
    state.go_back(run, checkpoint, best)
    state.sweep(run)
    return session


def say_more_steps(old, new, step):
    """A line on what more steps do to the learning rate of a run that has made `step` of them."""
    before, after = (
        learning_rate(at, of.lr, of.min_lr, of.warmup, of.max_steps)
        for at, of in ((max(step - 1, 0), old), (step, new))
    )
    return (
        f"The run has {new.max_steps:,} steps from here on, where it had {old.max_steps:,}: the learning rate follows "
        f"the schedule of {new.max_steps:,} steps, and continues with {after:.2g} after {before:.2g}."
    )


def open_session(run, settings, record, tokenizer, model, notice):
    """The Session of a model and the tokens that lie in the folder of the run."""
    train, held_out = open_tokens(run / DATA, settings.context)
    trainer = Trainer(model, train, settings)
    evaluation = HeldOut(held_out, settings.context, settings.batch_size, settings.eval_batches, tokenizer)
    if tokenizer is not None:
        model.n_tokens = tokenizer.n_vocab  # a published model may have more rows than its tokenizer has tokens
    return Session(run, settings, record, tokenizer, trainer, evaluation, notice)


def start_config(init):
    """The GPTConfig of the model that --init names. Raises InputError and OSError as `load` does."""
    return read_folder(init, False, open_checkpoint).config


def build(settings, source, tokenizer, start, device):
    """The model to train: a new one, or one with the weights of `start`. Raises InputError for a context too long."""
    if start is None:
        n_vocab = tokenizer.n_vocab if tokenizer else int(max(file.tokens.max() for file in source.files)) + 1
        shape = settings.n_embd, settings.n_head, settings.n_layer
        config = GPTConfig(n_vocab, settings.context, *shape, settings.dropout)
        return GPT(config, settings.seed, settings.dtype, device)
    shape = start.config
    if settings.context > shape.n_ctx:
        raise InputError(f"--context {settings.context} is more than the {shape.n_ctx} that {settings.init} can read")
    model = GPT(replace(shape, dropout=settings.dropout), settings.seed, settings.dtype, device)
    model.values[...] = to_device(start.values, device)
    return model


def check_vacant(run):
    """Raise InputError where a run, or anything else that is no folder, stands at `run` already."""
    check_no_file(run)
    if (run / LATEST).exists():
        raise InputError(f"{run} already holds a run: continue it (--resume {quote(str(run))}), or give another folder")
    if state.checkpoints(run):
        raise InputError(f"{without_latest(run)}, or give another folder for the new run")
    if (run / METRICS).exists() or (run / DATA).exists():
        raise InputError(f"{run} holds a run without a checkpoint: remove it, or give another folder")


def check_no_file(run):
    """Raise InputError where anything but a folder stands at `run`."""
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file: give a folder for the run")


def find_checkpoint(run, which=LATEST):
    """The checkpoint `which` of the run, "latest", "best" or a number. Raises InputError where there is none."""
    if not run.is_dir():
        raise InputError(f"{run} is not a folder with a run")
    checkpoint = choose_checkpoint(run, which)
    if checkpoint is None and state.checkpoints(run):
        raise InputError(without_latest(run))
    if checkpoint is None:
        raise InputError(f"{run} holds no whole checkpoint yet: nothing can be resumed; begin again in another folder")
    return checkpoint


def without_latest(run):
    """What to do about a run that has checkpoints, but not the file that names the newest."""
    newest = state.checkpoints(run)[-1].name
    return f"{run} holds checkpoints, but no file {LATEST}: write {newest} into one to continue from that"
