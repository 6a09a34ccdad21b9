"""Run a task: read the text, score its units chunk by chunk, reduce."""

import hashlib
from pathlib import Path

from numgpt.errors import InputError
from numgpt.evaluation.tasks import find_task
from numgpt.files import check_path, decode_utf8, quoted, read_bytes
from numgpt.model.gpt import check_model
from numgpt.numbers import check_number

BATCHES = 4  # in a chunk, so that windows of like length find each other


def evaluate(model, tokenizer, task, file=None, limit=None, batch_size=8, protocol=None, stride=None, progress=None):
    """The figures of one task, a dict with what made them beside them.

    task: a name (`numgpt evaluate --list` has them), or "text" with protocol="strided" and a stride, or "rolling".
    file: the text; a task that has one of its own looks for it in the current folder. limit: score only the first so
    many units (windows, pages, lines); what then needs the whole text is left out. batch_size: windows that are read
    together. progress: called as progress(done, total, figures so far) after every few units. Raises InputError for a
    wrong argument, a text that does not fit the task, and a model that cannot do it; OSError as the disk does.
    """
    check_model(model)
    chosen = find_task(task, protocol, stride)
    check_number(batch_size, "the batch size", whole=True, low=1)
    if limit is not None:
        check_number(limit, "the limit", whole=True, low=1)
    if tokenizer is None:
        raise InputError("the model has no tokenizer, without which no text can be scored")
    if not hasattr(tokenizer, "encode") or isinstance(tokenizer, str):
        raise InputError(f"tokenizer must be one of numgpt's, not {quoted(tokenizer)}")
    data, path = read_task_file(task, chosen, file)
    n_ctx = min(chosen.n_ctx or model.config.n_ctx, model.config.n_ctx)
    units, totals = chosen.prepare(decode_utf8(data, path), path, tokenizer, n_ctx)
    if limit is not None and limit < len(units):
        units, totals = units[:limit], {}
    else:
        limit = None
    records = []
    for chunk in chunks(units, batch_size * BATCHES):
        records += chosen.score(model, tokenizer, chunk, batch_size)
        if progress is not None:
            progress(len(records), len(units), chosen.reduce(records, {}))
    return {
        "task": task,
        "protocol": chosen.protocol,
        "n_ctx": n_ctx,
        "file": str(path),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "limit": limit,
        "units": len(units),
        **chosen.reduce(records, totals),
    }


def read_task_file(name, task, file):
    """(bytes, path) of the text. Raises InputError for one that is missing, saying which text it is."""
    if file is None and task.file is None:
        raise InputError(f"{name} needs a text: give one with --file")
    path = task.file if file is None else file
    check_path(path, "the file")
    if path != "-" and not Path(path).exists() and task.file is not None:
        raise InputError(f"{path} is not there: fetch {task.file}, WikiText-2's raw test text, or name it with --file")
    data = read_bytes(path)
    if not data.strip():
        raise InputError(f"{path} is empty: there is no text in it")
    return data, path


def chunks(units, n_windows):
    """The Units in lists of at least n_windows windows; where they are cut depends on nothing else."""
    chunk, size = [], 0
    for unit in units:
        chunk.append(unit)
        size += len(unit.windows)
        if size >= n_windows:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
