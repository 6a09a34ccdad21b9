"""Checkpoints that cannot be lost.

A run's folder holds

    step-00000500/     a checkpoint: model.safetensors and config.json (any program that reads GPT-2 can use a GPT's),
                       the tokenizer's files, training.safetensors (weights, both moments of AdamW, flat), state.json
    latest             the name of the newest complete checkpoint
    best               the name of the checkpoint with the lowest loss on held-out text
    data/              the tokens
    metrics.jsonl      a line per step

A checkpoint is written to a folder whose name ends in .tmp, flushed to disk and renamed; then `latest` is replaced.
Whenever the process or the machine stops, `latest` names a complete checkpoint, and anything left over is removed on
resuming. The disk holds at most the newest `keep` checkpoints, the best, and the one being written.
"""

import json
import os
import shutil

from numgpt.backend import array_module, to_host
from numgpt.checkpoint.safetensors_file import read_header, write_safetensors
from numgpt.checkpoint.tensors import read_tensors
from numgpt.errors import InputError
from numgpt.files import (
    BEST,
    CHECKPOINT,
    LATEST,
    atomic_write,
    choose_checkpoint,
    flush,
    newest_checkpoint,
    quoted,
    read_json,
)
from numgpt.numbers import check_number
from numgpt.training.best import read_best

STATE = "state.json"
ARRAYS = "training.safetensors"
TEMPORARY = ".tmp"
FORMAT = 1
GENERATORS = ("batches", "dropout")
PCG64 = {"state": 128, "inc": 128, "has_uint32": 1, "uinteger": 32}  # how many bits each number has


def save(run, trainer, tokenizer, about, keep):
    """Write a checkpoint of `trainer` to the folder `run`; then remove all but the newest `keep` and the best.

    about: further fields of state.json (name -> value). Raises OSError if writing fails; earlier checkpoints are then
    untouched, and nothing of the new one is left.
    """
    final = run / _name(trainer.steps)
    temporary = final.with_name(final.name + TEMPORARY)
    try:
        _write(temporary, trainer, tokenizer, about)
        os.replace(temporary, final)
        flush(run)
        with atomic_write(run / LATEST, "w") as file:
            file.write(final.name + "\n")
        name_best(run, trainer.best)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if newest_checkpoint(run) != final:
            shutil.rmtree(final, ignore_errors=True)
        raise
    flush(run)
    best = choose_checkpoint(run, BEST)
    for old in [path for path in checkpoints(run) if _number(path) <= trainer.steps][:-keep]:
        if old != best:
            _remove(old)


def name_best(run, best):
    """Make the file `best` name the checkpoint of the Best, or remove the file if that is gone, or None."""
    name = _name(best.step) if best else None
    if name is None or not (run / name).is_dir():
        (run / BEST).unlink(missing_ok=True)
    elif not (run / BEST).is_file() or (run / BEST).read_bytes().decode("utf-8", "replace").strip() != name:
        with atomic_write(run / BEST, "w") as file:
            file.write(name + "\n")


def go_back(run, checkpoint, best):
    """Make `checkpoint`, with the Best of its time, the newest of the run; `sweep` then removes later ones."""
    if newest_checkpoint(run) != checkpoint:
        with atomic_write(run / LATEST, "w") as file:
            file.write(checkpoint.name + "\n")
        flush(run)
    name_best(run, best)


def _write(folder, trainer, tokenizer, about):
    """Write all files of a checkpoint, flushed to disk."""
    folder.mkdir()
    with trainer.weights_to_keep() as model:
        model.save(folder)
    if tokenizer is not None:
        tokenizer.save(folder)
    with atomic_write(folder / ARRAYS) as file:
        write_safetensors(file, {name: to_host(array) for name, array in trainer.arrays().items()})
    with atomic_write(folder / STATE, "w") as file:
        json.dump({"format": FORMAT, **trainer.state(), **about}, file, indent=1)
    for path in folder.iterdir():
        flush(path)
    flush(folder)


def read_state(checkpoint):
    """The fields of state.json. Raises InputError for a file that is damaged or of another version."""
    path = checkpoint / STATE
    try:
        state = read_json(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: the model can be loaded, but its training cannot be continued") from None
    if type(state.get("format")) is not int or state["format"] != FORMAT:
        raise InputError(f"{path} was not written by this version of numgpt")
    if check_number(state.get("step"), f"{path}: step", whole=True, low=0) != _number(checkpoint):
        raise InputError(f"{path} holds step {state['step']}, but its folder names another: it was damaged or renamed")
    read_best(state.get("best"), state["step"])
    for name in GENERATORS:
        _check_generator(state.get(name), f"{path}: the state of the generator for {name}")
    return state


def _check_generator(state, name):
    """Raise InputError unless `state` is a valid state of NumPy's PCG64."""
    inner = state.get("state") if isinstance(state, dict) else None
    if not isinstance(inner, dict) or state.get("bit_generator") != "PCG64":
        raise InputError(f"{name} is {quoted(state)}, not a state of PCG64")
    numbers = {**state, **inner}
    for field, bits in PCG64.items():
        check_number(numbers.get(field), f"{name}: {field}", whole=True, low=0, below=1 << bits)


def restore(checkpoint, trainer, state):
    """Set `trainer` to what `save` wrote of one with the same settings. Raises InputError if the files do not fit."""
    path = checkpoint / ARRAYS
    if not path.exists():
        raise InputError(f"{path} is missing: the model can be loaded, but its training cannot be continued")
    arrays = trainer.arrays()
    stored = {tensor.name: tensor for tensor in read_header(path)}
    shapes = {name: array.shape for name, array in arrays.items()}
    if {name: tensor.shape for name, tensor in stored.items()} != shapes:
        raise InputError(f"{path} does not fit the settings in {STATE}")
    on_host = {name: to_host(array) for name, array in arrays.items()}
    read_tensors((stored[name], array) for name, array in on_host.items())
    for name, array in arrays.items():
        if on_host[name] is not array:
            array[...] = array_module(array).asarray(on_host[name])
    trainer.set_state(state)


def sweep(run):
    """Remove what an interrupted save left: temporary files, and checkpoints newer than the one `latest` names."""
    newest = newest_checkpoint(run)
    for path in run.iterdir():
        if path.name.endswith(TEMPORARY) and path.is_dir():
            shutil.rmtree(path)
        elif path.name.endswith(TEMPORARY):
            path.unlink()
    for path in checkpoints(run):
        if newest is None or _number(path) > _number(newest):
            _remove(path)


def checkpoints(run):
    """The folders of all checkpoints in `run`, oldest first."""
    return sorted((path for path in run.glob("step-*") if CHECKPOINT.fullmatch(path.name)), key=_number)


def _name(step):
    return f"step-{step:08d}"


def _number(path):
    return int(CHECKPOINT.fullmatch(path.name)[1])


def _remove(checkpoint):
    """Remove a checkpoint, renaming it first, so that its name never refers to half of one."""
    doomed = checkpoint.with_name(checkpoint.name + TEMPORARY)
    os.replace(checkpoint, doomed)
    shutil.rmtree(doomed)
