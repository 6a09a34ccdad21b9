"""Setting up a run: from a data file and settings, or from the checkpoint where it stopped."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from numgpt.errors import InputError
from numgpt.files import LATEST, choose_checkpoint, quoted
from numgpt.kernels import set_precision
from numgpt.model import Classifier
from numgpt.numbers import check_number
from numgpt.tokenizer import load_tokenizer
from numgpt.training import classification, language, state, translation
from numgpt.training.best import read_best
from numgpt.training.data import DataRecord, check_tokens
from numgpt.training.evaluate import HeldOut
from numgpt.training.held_out_pairs import HeldOutPairs
from numgpt.training.labelled_batches import HeldOutTexts
from numgpt.training.metrics import NAME as METRICS
from numgpt.training.schedule import rate_of
from numgpt.training.settings import HARMLESS, Settings
from numgpt.training.tokenizers import check_kept
from numgpt.training.trainer import Trainer

DATA = "data"
TASKS = {"text": language, "translate": translation, "classify": classification}


@dataclass(frozen=True)
class Session:
    """A run that can take its next step.

    run: its folder. tokenizer: None if the data are tokens. notice: lines for the user on how the text or the settings
    were understood, or None. processes: how many made the run's last step, None for a new run.
    """

    run: Path
    settings: Settings
    data: DataRecord
    tokenizer: object
    trainer: Trainer
    held_out: HeldOut | HeldOutPairs | HeldOutTexts
    notice: str | None = None
    processes: int | None = None

    @property
    def n_choices(self):
        """How many tokens, or labels, the model chooses from."""
        model = self.trainer.model
        return len(model.labels) if isinstance(model, Classifier) else len(model.criterion.embedding.weight)

    def sample(self, model):
        """What the model, which is the trainer's, makes of held-out text; None without a tokenizer."""
        return task_of(self.settings).sample(model, self)

    def save(self):
        """Write a checkpoint. Raises OSError if writing fails, Diverged for weights that are not finite."""
        self.trainer.check_finite()
        about = {
            "settings": self.settings.as_dict(),
            "data": self.data.as_dict(),
            "processes": self.trainer.team.size,
        }
        state.save(self.run, self.trainer, self.tokenizer, about, self.settings.keep)


def task_of(settings):
    """The module with the parts of a run of these Settings."""
    return TASKS[settings.task]


def begin(run, data, settings, progress=None, device="cpu", precision="float32", val_data=None):
    """A new run on the file `data`, in the folder `run`, which is created.

    val_data: the held-out file; None: a part of `data` is held out. "-" is standard input. progress: see
    `choose_tokenizer`. device: "cpu" or "cuda"; precision: see `numgpt.kernels.set_precision`; both may differ when the
    run is resumed. Raises InputError if they are not available, for a folder that already holds a run, for unusable
    data and for settings that conflict; OSError if reading or writing fails.
    """
    set_precision(precision, device)
    check_vacant(run)
    existed = run.exists()
    task = task_of(settings)
    source, tokenizer, model = task.start(data, val_data, settings, device, progress)
    settings = replace(settings, **task.shape_of(model.config))
    try:
        (run / DATA).mkdir(parents=True, exist_ok=True)
        if tokenizer is not None:
            check_kept(tokenizer, run / DATA)
        record, lines = task.write(source, tokenizer, settings, run / DATA, model)
        notice = "\n".join(dict.fromkeys(line for line in lines if line)) or None
        return open_session(run, settings, record, tokenizer, model, notice)
    except BaseException:
        shutil.rmtree(run / DATA if existed else run, ignore_errors=True)  # or the next attempt would find a run
        raise


def resume(run, options, data=None, device="cpu", precision="float32", val_data=None, max_steps=None, which=LATEST):
    """The run in the folder `run`, at one of its checkpoints; whatever an interrupted save left is removed.

    options: settings (name -> value) and data, val_data: files, all of which must be what the run began with, except
    for the settings in HARMLESS, which then apply. which: "latest", "best" or a number of steps in digits; later
    checkpoints are removed once everything else has succeeded. max_steps: a larger number of steps; the remaining ones
    then follow the schedule of that length, so the learning rate may rise again. device, precision: as for `begin`.
    Raises InputError if settings or files differ, for a device that cannot be used, and if there is no such checkpoint.
    """
    set_precision(precision, device)
    checkpoint = find_checkpoint(run, which)
    stored = state.read_state(checkpoint)
    try:
        settings = Settings(**stored["settings"])
        record = DataRecord(**stored["data"])
        check_number(stored["step"], "step", below=settings.max_steps + 1)
        best = read_best(stored.get("best"), stored["step"])
        processes = check_number(stored.get("processes", 1), "processes", whole=True, low=1)
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
    model = task_of(settings).blank(checkpoint, settings, device)
    session = open_session(run, settings, record, load_tokenizer(checkpoint), model, notice)
    session = replace(session, processes=processes)
    state.restore(checkpoint, session.trainer, stored)
    state.go_back(run, checkpoint, best)
    state.sweep(run)
    return session


def say_more_steps(old, new, step):
    """A line on how more steps change the learning rate of a run that has made `step` of them."""
    before, after = (rate_of(at, of) for at, of in ((max(step - 1, 0), old), (step, new)))
    return (
        f"The run now has {new.max_steps:,} steps instead of {old.max_steps:,}. The learning rate follows the schedule "
        f"of {new.max_steps:,} steps: it was {before:.2g} and continues at {after:.2g}."
    )


def open_session(run, settings, record, tokenizer, model, notice):
    """The Session of a model and the tokens in the folder of the run."""
    batches, held_out = task_of(settings).open_data(run / DATA, settings, tokenizer, model)
    return Session(run, settings, record, tokenizer, Trainer(model, batches, settings), held_out, notice)


def start_config(init, task="text"):
    """The configuration of the model that --init names. Raises InputError and OSError as loading it does."""
    return TASKS[task].start_config(init)


def check_vacant(run):
    """Raise InputError if `run` already holds a run, or is not a folder."""
    check_no_file(run)
    if (run / LATEST).exists():
        raise InputError(f"{run} already holds a run: continue it (--resume {quote(str(run))}), or give another folder")
    if state.checkpoints(run):
        raise InputError(f"{without_latest(run)}, or give another folder for the new run")
    if (run / METRICS).exists() or (run / DATA).exists():
        raise InputError(f"{run} holds a run without a checkpoint: remove it, or give another folder")


def check_no_file(run):
    """Raise InputError if `run` exists and is not a folder."""
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file: give a folder for the run")


def find_checkpoint(run, which=LATEST):
    """The checkpoint `which` of the run, "latest", "best" or a number. Raises InputError if there is none."""
    if not run.is_dir():
        raise InputError(f"{run} is not a folder with a run")
    checkpoint = choose_checkpoint(run, which)
    if checkpoint is None and state.checkpoints(run):
        raise InputError(without_latest(run))
    if checkpoint is None:
        raise InputError(
            f"{run} holds no complete checkpoint yet: there is nothing to resume; begin again in another folder"
        )
    return checkpoint


def without_latest(run):
    """What to do about a run that has checkpoints, but no file that names the newest."""
    newest = state.checkpoints(run)[-1].name
    return f"{run} holds checkpoints, but no file {LATEST}: write {newest} into one to continue from that"
