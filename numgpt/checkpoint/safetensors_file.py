"""The safetensors format (https://github.com/huggingface/safetensors#format), read and written.

    8 bytes      n, the length of the header, little-endian
    n bytes      JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
                 "__metadata__": {"key": "text"}}, padded with spaces at will
    the rest     the values, row-major, little-endian; offsets count from here, and leave no gap and no overlap

Nothing aligns the values: in the published gpt2 file they start at byte 14291.
"""

import json
from math import prod
from pathlib import Path

import numpy as np

from numgpt.checkpoint.tensors import CHUNK_BYTES, StoredTensor
from numgpt.errors import InputError
from numgpt.files import parse_json, quoted

LARGEST_HEADER = 10_000_000  # bytes; GPT-2 needs about 100 per tensor
MOST_AXES = 8  # GPT-2's masks have four; the product of a million sizes would take minutes
ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
WRITTEN_TYPES = {"float16": "F16", "float32": "F32", "float64": "F64"}


def read_header(path):
    """The tensors of a safetensors file, each a StoredTensor, in the order of the header; the values are not read.

    Raises InputError, with the tensor's name, for a header that is damaged or does not fit the file.
    """
    path = Path(path)
    file_size = path.stat().st_size
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if file_size < 8 or length > file_size - 8:
            raise InputError(f"{path}: the file has {file_size} bytes, fewer than its header claims; fetch it again")
        if length > LARGEST_HEADER:
            raise InputError(f"{path}: a header of {length} bytes is too long for a GPT-2")
        header = parse_json(file.read(length), f"{path}: header")
    _check_metadata(header.pop("__metadata__", {}), path)
    start = 8 + length
    tensors = [_read_entry(name, entry, path, start) for name, entry in header.items()]
    _check_coverage(tensors, start, file_size, path)
    return tensors


def write_safetensors(file, arrays, dtype=None):
    """Write a dict of name -> array to a file open for writing bytes, in the dict's order.

    dtype: "float16", "float32" or "float64" for all of them; None keeps each array's own, which must be one of these.
    Raises InputError for another dtype, and for a value that float16 or float32 cannot hold.
    """
    types = {
        name: written_type(array.dtype if dtype is None else dtype, f"tensor {quoted(name)}")
        for name, array in arrays.items()
    }
    header = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, array in arrays.items():
        begin, end = end, end + array.size * types[name].itemsize
        header[name] = {
            "dtype": WRITTEN_TYPES[types[name].name],
            "shape": list(array.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the values are aligned for readers that map the file into memory
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for name, array in arrays.items():
        _write_values(file, name, array, types[name])


def written_type(dtype, name):
    """The NumPy dtype in which `name` is written as `dtype`. Raises InputError for any other."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found is None or found.name not in WRITTEN_TYPES:
        raise InputError(f"{name} cannot be written as {dtype!s:.60}: use {', '.join(WRITTEN_TYPES)}")
    return found.newbyteorder("<")


def _check_metadata(metadata, path):
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InputError(f"{path}: header: __metadata__ must hold text only")


def _read_entry(name, entry, path, start):
    where = f"{path}: tensor {quoted(name)}"
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{where} must have a dtype, a shape, data_offsets and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise InputError(f"{where} has the unknown dtype {quoted(dtype)}")
    if not _are_sizes(shape) or len(shape) > MOST_AXES:
        raise InputError(f"{where}: shape must be a list of up to {MOST_AXES} whole numbers, not {quoted(shape)}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise InputError(f"{where}: data_offsets must be two whole numbers, not {quoted(offsets)}")
    begin, end = offsets
    if end - begin != prod(shape) * ITEM_BYTES[dtype]:
        raise InputError(f"{where}: data_offsets {offsets} do not fit {dtype} values of shape {quoted(shape)}")
    return StoredTensor(name, dtype, tuple(shape), path, start + begin, end - begin)


def _are_sizes(values):
    """Whether `values` is a list of ints >= 0; True and 2.0, which equal ints, do not count."""
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_coverage(tensors, start, file_size, path):
    """Raise InputError unless the tensors, taken by their offsets, fill the file from `start` to its end."""
    reached = start
    for tensor in sorted(tensors, key=lambda tensor: (tensor.offset, tensor.size)):
        if tensor.offset != reached:
            fault = "overlaps the one before it" if tensor.offset < reached else "leaves a gap before it"
            raise InputError(f"{path}: tensor {quoted(tensor.name)} {fault}")
        reached += tensor.size
    if reached != file_size:
        raise InputError(f"{path}: the header describes {reached} bytes, but the file has {file_size}; fetch it again")


def _write_values(file, name, array, dtype):
    """Write the values a chunk at a time, so that another type on disk needs no second copy in memory."""
    flat = np.ascontiguousarray(array).reshape(-1)
    step = CHUNK_BYTES // dtype.itemsize
    for start in range(0, flat.size, step):
        try:
            with np.errstate(over="raise"):
                file.write(flat[start : start + step].astype(dtype, copy=False))
        except FloatingPointError:
            raise InputError(f"tensor {quoted(name)} has values too large for {dtype.name}") from None
