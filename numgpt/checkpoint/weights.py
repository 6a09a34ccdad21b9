"""The safetensors files of a model: one, or several shards with an index that says which tensor is where.

model.safetensors.index.json    {"metadata": {"total_size": bytes}, "weight_map": {tensor: file, ...}}
model-00001-of-00002.safetensors, ...
"""

import json
import os
import re
from pathlib import Path

from numgpt.checkpoint.safetensors_file import read_header, write_safetensors, written_type
from numgpt.errors import InputError
from numgpt.files import flush, parse_json, quoted

WEIGHTS = "model.safetensors"
INDEX = WEIGHTS + ".index.json"
SHARD = re.compile(r"-\d{5}-of-\d{5}(\.[\w-]+)?\.safetensors$")
LARGEST_INDEX = 10_000_000  # bytes; about 100 per tensor
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B", re.IGNORECASE)


def find_weights(folder):
    """The path of the safetensors file in a folder, or of the index if there are several; None if there is none.

    model.safetensors comes first; a file with a variant in its name, such as model.fp16.safetensors, is taken if it is
    the only one. Raises InputError if there are several of these.
    """
    folder = Path(folder)
    for name in WEIGHTS, INDEX:
        if (folder / name).exists():
            return folder / name
    others = [path for path in sorted(folder.glob("*.safetensors*")) if _may_be_weights(path.name)]
    if len(others) > 1:
        names = ", ".join(path.name for path in others[:3])
        raise InputError(f"{folder}: which of {names} is the model? Name one of them {WEIGHTS}")
    return others[0] if others else None


def _may_be_weights(name):
    single = name.endswith(".safetensors") and not SHARD.search(name) and not name.startswith("adapter_")
    return single or re.search(r"\.safetensors\.index(\.[\w-]+)?\.json$", name) is not None


def read_weights(path):
    """The tensors of the safetensors file `path`, or of the shards of an index, each a StoredTensor.

    Raises InputError as `read_header` does, and for an index that does not fit its shards.
    """
    if path.suffix != ".json":
        return read_header(path)
    found, where = {}, read_index(path)
    there = os.listdir(path.parent)  # a damaged name may be one that the system refuses to look for
    missing = [name for name in dict.fromkeys(where.values()) if name not in there]
    if missing:
        raise InputError(f"{path} names {quoted(missing[0])}, which is missing ({len(missing)} in all): fetch it again")
    for name in dict.fromkeys(where.values()):
        for tensor in read_header(path.parent / name):
            if tensor.name in found:
                raise InputError(
                    f"{path}: tensor {quoted(tensor.name)} is in {found[tensor.name].path.name} and in {name}"
                )
            found[tensor.name] = tensor
    for name, file in where.items():
        if name not in found or found[name].path.name != file:
            raise InputError(
                f"{path}: tensor {quoted(name)} is not in {file}: index and shards belong to different models"
            )
    return [*found.values()]


def read_index(path):
    """Tensor -> name of its file, from the index at `path`. Raises InputError if damaged, OSError if unreadable."""
    path = Path(path)
    with open(path, "rb") as file:
        data = file.read(LARGEST_INDEX + 1)
    if len(data) > LARGEST_INDEX:
        raise InputError(f"{path}: more than {LARGEST_INDEX} bytes cannot be the index of a GPT-2")
    files = parse_json(data, path).get("weight_map")
    if not isinstance(files, dict) or not files:
        raise InputError(f"{path}: it has no weight_map from tensors to files: fetch it again")
    for file in files.values():
        if not isinstance(file, str) or not re.fullmatch(r"[\w.-]+\.safetensors", file):
            raise InputError(
                f"{path}: {quoted(file)} in the weight_map is not the name of a safetensors file beside it"
            )
    return files


def write_weights(folder, arrays, dtype, max_shard_size=None):
    """Write `arrays`, name -> array, to files in `folder`, which are flushed; return their names, an index last.

    max_shard_size: bytes, or a text such as "200MB"; a larger tensor gets a file to itself. None: one file. Raises
    InputError for an invalid size and as `write_safetensors` does; OSError if writing fails.
    """
    itemsize = written_type(dtype, "a model").itemsize
    shards = _split(arrays, itemsize, None if max_shard_size is None else read_size(max_shard_size))
    if len(shards) == 1:
        _write(folder / WEIGHTS, arrays, dtype)
        return [WEIGHTS]
    files = {}
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        _write(folder / file, {name: arrays[name] for name in names}, dtype)
        files |= dict.fromkeys(names, file)
    total = sum(array.size for array in arrays.values()) * itemsize
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))}
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    flush(folder / INDEX)
    return [*dict.fromkeys(files.values()), INDEX]


def read_size(size):
    """Bytes from a number or a text such as "200MB" (10^6) or "200MiB" (2^20). Raises InputError for anything else."""
    number, unit = size, 1
    if isinstance(size, str) and (parts := SIZE.fullmatch(size.strip())):
        number = float(parts[1])
        unit = (1024 if parts[3] else 1000) ** " KMGT".index(parts[2].upper() or " ")
    if isinstance(number, bool) or not isinstance(number, int | float) or not 1 <= number * unit < 1 << 63:
        raise InputError(f'max_shard_size must be a number of bytes or a text such as "200MB", not {quoted(size)}')
    return int(number * unit)


def _split(arrays, itemsize, limit):
    """The names, in order, in lists of at most `limit` bytes each, or of one larger tensor."""
    shards, room = [[]], limit
    for name, array in arrays.items():
        size = array.size * itemsize
        if limit is not None and size > room and shards[-1]:
            shards.append([])
            room = limit
        shards[-1].append(name)
        room = None if limit is None else room - size
    return shards


def _write(path, arrays, dtype):
    with open(path, "wb") as file:
        write_safetensors(file, arrays, dtype)
        file.flush()
        os.fsync(file.fileno())
