"""A tensor in a file of any format: where it is, and reading it into an existing array."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from math import prod
from pathlib import Path

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted

CHUNK_BYTES = 1 << 20  # small enough for checksum and conversion to find it in the processor's cache
READERS = min(4, os.cpu_count() or 1)  # threads
LEAST_BYTES = 16 << 20  # for a thread to be worth it
FLOAT_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}  # NumPy has no bfloat16: these are its bits
MASK_DELTA = 0xA282EAD8


@dataclass(frozen=True)
class StoredTensor:
    """`size` bytes at `offset` of the file `path`: row-major, little-endian values of `shape`.

    dtype is safetensors' name of the type ("F32", "BF16", ...). crc32c is the masked checksum of the bytes, None if the
    format has none. transposed: the file has the transpose, a matrix of the reversed shape.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: Path
    offset: int
    size: int
    crc32c: int | None = None
    transposed: bool = False

    @property
    def readable(self):
        """Whether `read_tensors` knows the type, and its values fill `size` bytes."""
        known = FLOAT_TYPES.get(self.dtype)
        return known is not None and prod(self.shape) * np.dtype(known).itemsize == self.size

    def rows(self, first, last):
        """The part [first:last] along the first axis, as a tensor without a checksum."""
        row = self.size // self.shape[0]
        return replace(
            self,
            shape=(last - first, *self.shape[1:]),
            offset=self.offset + first * row,
            size=(last - first) * row,
            crc32c=None,
        )


def read_tensors(pairs):
    """Fill each destination with its tensor; pairs are (StoredTensor, destination), a contiguous writable float array.

    Reads in the order of the files, straight into the destination if it has the stored type, else through a buffer of 1
    MiB. Several threads read a large model, each a part of the tensors: most of the time is spent by the system on
    finding memory. Raises InputError for a file that ends too early and for a wrong checksum; the destinations then
    hold rubbish.
    """
    in_file_order = sorted(pairs, key=lambda pair: (pair[0].path, pair[0].offset))
    parts = _divide(in_file_order, READERS)
    if len(parts) == 1:
        _read_all(parts[0])
        return
    with ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(_read_all, parts))


def _divide(pairs, n):
    """The pairs in n lists of about as many bytes each, in order; fewer lists if there is not much to read."""
    each = max(sum(tensor.size for tensor, _ in pairs) / n, LEAST_BYTES)
    parts, read = [[] for _ in range(n)], 0
    for tensor, destination in pairs:
        parts[min(int((read + tensor.size / 2) / each), n - 1)].append((tensor, destination))
        read += tensor.size
    return [part for part in parts if part] or [[]]


def _read_all(in_file_order):
    for path, group in groupby(in_file_order, key=lambda pair: pair[0].path):
        with open(path, "rb", buffering=0) as file:
            for tensor, destination in group:
                if tensor.transposed:
                    read = np.empty(tensor.shape[::-1], destination.dtype)
                    _read(file, tensor, read)
                    destination[...] = read.T
                else:
                    _read(file, tensor, destination)


def _read(file, tensor, destination):
    raw = np.frombuffer(destination, np.uint8)
    values = raw.view(destination.dtype)
    stored_type = np.dtype(FLOAT_TYPES[tensor.dtype])
    direct = destination.dtype == stored_type
    buffer = None if direct else np.empty(min(CHUNK_BYTES, tensor.size), np.uint8)
    checksum = 0
    file.seek(tensor.offset)
    for start in range(0, tensor.size, CHUNK_BYTES):
        stop = min(start + CHUNK_BYTES, tensor.size)
        chunk = raw[start:stop] if direct else buffer[: stop - start]
        _fill(file, chunk, tensor)
        if tensor.crc32c is not None:
            checksum = extend_crc32c(checksum, chunk)
        if not direct:
            values[start // stored_type.itemsize : stop // stored_type.itemsize] = _decode(chunk, tensor.dtype)
    if tensor.crc32c is not None and masked_crc32c(checksum) != tensor.crc32c:
        raise InputError(
            f"{tensor.path}: the checksum of tensor {quoted(tensor.name)} does not match: "
            "the file is damaged or its download was not finished; fetch it again"
        )


def _fill(file, chunk, tensor):
    """Read until `chunk` is full; one call may deliver less."""
    view = memoryview(chunk)
    while len(view):
        count = file.readinto(view)
        if not count:
            raise InputError(f"{tensor.path}: the file ends inside tensor {quoted(tensor.name)}; fetch it again")
        view = view[count:]


def _decode(chunk, dtype):
    """The values in `chunk` (bytes); a bfloat16 is the upper half of a float32."""
    stored = chunk.view(FLOAT_TYPES[dtype])
    if dtype == "BF16":
        return (stored.astype("<u4") << 16).view("<f4")
    return stored


def extend_crc32c(crc, data):
    """The CRC-32C (Castagnoli) of the data that gave `crc`, 0 for none, and then `data`, bytes or contiguous uint8."""
    import google_crc32c

    return google_crc32c.extend(crc, data)


def masked_crc32c(crc):
    """`crc` as TensorFlow stores it: rotated right by 15 bits, plus a constant.

    The checksum of data that ends in its own checksum is the same for all data; the mask avoids that.
    """
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF
