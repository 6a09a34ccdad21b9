"""Run a task: read the text, score its units chunk by chunk, reduce, compare with published figures."""

import hashlib
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path

from numgpt.backend import to_host
from numgpt.errors import InputError
from numgpt.evaluation.journal import open_journal
from numgpt.evaluation.published import compare
from numgpt.evaluation.tasks import find_task
from numgpt.files import check_path, decode_utf8, quoted, read_bytes
from numgpt.kernels import kernels_in_use
from numgpt.model.gpt import check_model
from numgpt.numbers import check_number

BATCHES = 4  # in a chunk, so that windows of similar length can be read together


def evaluate(
    model,
    tokenizer,
    task,
    file=None,
    limit=None,
    batch_size=8,
    protocol=None,
    stride=None,
    progress=None,
    out=None,
    deal=map,
):
    """The figures of one task, a dict, with how they were computed and what is published for them.

    task: a name (`numgpt evaluate --list` has them), or "text" with protocol="strided" and a stride, or "rolling".
    file: the text; a task that has one of its own looks for it in the current folder. limit: score only the first
    `limit` units (windows, pages, lines); figures that need the whole text are then left out, and nothing is compared.
    batch_size: windows that are read together. progress: called as progress(done, total, figures so far) after every
    few units. out: a file for each unit's record, from which an interrupted run resumes. deal: a function like the
    built-in map, which may spread the work over processes. Raises InputError for a wrong argument, a text that does not
    fit the task, a model that is not suited to it, and records of another run in `out`; OSError if reading or writing
    fails.
    """
    check_model(model)
    chosen = find_task(task, protocol, stride)
    check_number(batch_size, "the batch size", whole=True, low=1)
    if limit is not None:
        check_number(limit, "the limit", whole=True, low=1)
    check_tokenizer(tokenizer, model)
    path = find_text(task, chosen, file)
    data = read_bytes(path)
    if not data.strip():
        raise InputError(f"{path} is empty: there is no text in it")
    n_ctx = min(chosen.n_ctx or model.config.n_ctx, model.config.n_ctx)
    units, totals = chosen.prepare(decode_utf8(data, path), path, tokenizer, n_ctx)
    if limit is not None and limit < len(units):
        units, totals = units[:limit], {}
    else:
        limit = None
    about = {
        "task": task,
        "protocol": chosen.protocol,
        "n_ctx": n_ctx,
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "limit": limit,
    }
    head = about | how_computed(model, batch_size) if out is not None else {}
    with open_journal(out, head) as journal, without_dropout(model):
        cut = list(chunks(units, batch_size * BATCHES))
        ends = list(accumulate(map(len, cut)))
        missing = [chunk for chunk, end in zip(cut, ends, strict=True) if end > len(journal.records)]
        scored = iter(deal(partial(chosen.score, model, tokenizer, batch_size=batch_size), missing))
        for chunk, end in zip(cut, ends, strict=True):
            if end > len(journal.records):
                journal.append(next(scored)[len(journal.records) - end + len(chunk) :])
            if progress is not None:
                progress(end, len(units), figures_of(chosen, journal.records[:end], {}, out))
        figures = figures_of(chosen, journal.records, totals, out)
        journal.finish(figures)
    result = {**about, "file": str(path), "units": len(units), **figures}
    return result | compare(result, model.config)


@contextmanager
def without_dropout(model):
    """A context in which the model is in eval mode; its mode is then restored."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train() if training else model.eval()


def figures_of(task, records, totals, path):
    """The task's figures for its records. Raises InputError if those of the file `path` are not what it writes."""
    try:
        return task.reduce(records, totals)
    except (KeyError, TypeError, ValueError) as error:
        if path is None:
            raise
        raise InputError(
            f"{path} was changed: its records lack something ({error}); remove it and start again"
        ) from None


def how_computed(model, batch_size):
    """What else the records depend on, to their last bits."""
    return {
        "model_sha256": hashlib.sha256(to_host(model.values).data).hexdigest(),
        "dtype": model.dtype.name,
        "device": model.device,
        "kernels": kernels_in_use(),
        "batch_size": int(batch_size),
    }


def check_tokenizer(tokenizer, model):
    """Raise InputError unless `tokenizer` is one, and the model has a row for each of its tokens."""
    if tokenizer is None:
        raise InputError("the model has no tokenizer, without which no text can be scored")
    if not hasattr(tokenizer, "encode") or isinstance(tokenizer, str):
        raise InputError(f"tokenizer must be one of numgpt's, not {quoted(tokenizer)}")
    if tokenizer.n_vocab > model.config.n_vocab:
        raise InputError(
            f"the tokenizer has {tokenizer.n_vocab} tokens, but the model only {model.config.n_vocab}: "
            "they belong to different models"
        )


def find_text(name, task, file):
    """The path of a Task's text. Raises InputError for one that is missing, saying which command fetches it."""
    if file is None and task.file is None:
        raise InputError(f"{name} needs a text: give one with --file")
    path = task.file if file is None else file
    check_path(path, "the file")
    if path != "-" and not Path(path).exists() and task.file is not None:
        raise InputError(f"{path} is missing: fetch it with `scripts/fetch-texts {task.file}`, or name it with --file")
    return path


def chunks(units, n_windows):
    """The Units in lists of at least n_windows windows; the cuts depend on nothing else."""
    chunk, size = [], 0
    for unit in units:
        chunk.append(unit)
        size += len(unit.windows)
        if size >= n_windows:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
