"""TensorFlow's checkpoint format, the tensor bundle: what `model.ckpt.index` says about `model.ckpt.data-*`.

The index is a table from a tensor's name to a BundleEntryProto; the key "", which sorts first, holds the
BundleHeaderProto (tensorflow/core/protobuf/tensor_bundle.proto). The data files, the shards, hold the values as raw
little-endian arrays.
"""

from pathlib import Path

from numgpt.checkpoint.protobuf import BYTES, FIXED32, VARINT, read_fields
from numgpt.checkpoint.table import read_table
from numgpt.checkpoint.tensors import StoredTensor
from numgpt.errors import InputError
from numgpt.files import quoted

LARGEST_INDEX = 1 << 20  # bytes; that of the largest GPT-2 has 20,724
FLOAT_NAMES = {1: "F32", 2: "F64", 14: "BF16", 19: "F16"}  # numbered in tensorflow/core/framework/types.proto


def read_index(prefix):
    """The tensors that the file `<prefix>.index` lists, each a StoredTensor, in ascending order of names.

    Only the index is read, and every checksum in it verified; the data files need not be there yet. A tensor that
    is not float32, float64, float16 or bfloat16 has the dtype "DT_<TensorFlow's number>". Raises InputError for an
    index that is cut short or damaged, and for big-endian or partitioned tensors.
    """
    path = Path(f"{prefix}.index")
    size = path.stat().st_size
    if size > LARGEST_INDEX:
        raise InputError(f"{path}: {size} bytes are too many for an index of GPT-2's tensors")
    try:
        return _read_bundle(path.read_bytes(), prefix)
    except InputError as error:
        raise InputError(f"{path}: not a usable index of tensors: {error}") from None


def _read_bundle(data, prefix):
    pairs = read_table(data)
    if not pairs or pairs[0][0] != b"":
        raise InputError("the header entry is missing")
    header = dict(read_fields(pairs[0][1]))
    if header.get((2, VARINT), 0) != 0:
        raise InputError("the tensors are big-endian, which numgpt does not read")
    shards = header.get((1, VARINT), 0)
    return [_read_entry(key, value, prefix, shards) for key, value in pairs[1:]]


def _read_entry(key, value, prefix, shards):
    """The StoredTensor of one BundleEntryProto; what it leaves out is zero."""
    name = key.decode("utf-8", "backslashreplace")
    fields = dict(read_fields(value))
    if (7, BYTES) in fields:
        raise InputError(f"tensor {quoted(name)} is partitioned, which numgpt does not read")
    shard = fields.get((3, VARINT), 0)
    if shard >= shards:
        raise InputError(f"tensor {quoted(name)} lies in shard {shard}, but there are {shards}")
    dtype = fields.get((1, VARINT), 0)
    return StoredTensor(
        name=name,
        dtype=FLOAT_NAMES.get(dtype, f"DT_{dtype}"),
        shape=_read_shape(fields.get((2, BYTES), b"")),
        path=Path(f"{prefix}.data-{shard:05d}-of-{shards:05d}"),
        offset=fields.get((4, VARINT), 0),
        size=fields.get((5, VARINT), 0),
        crc32c=fields.get((6, FIXED32), 0),
    )


def _read_shape(data):
    """The sizes in a TensorShapeProto: one message {1: size} in field 2 for each dimension."""
    return tuple(
        dict(read_fields(dimension)).get((1, VARINT), 0)
        for field, dimension in read_fields(data)
        if field == (2, BYTES)
    )


def check_data_files(tensors):
    """Raise InputError unless the data files of `tensors` are there and long enough to hold them."""
    ends = {}
    for tensor in tensors:
        ends[tensor.path] = max(ends.get(tensor.path, 0), tensor.offset + tensor.size)
    for path, end in ends.items():
        if not path.exists():
            raise InputError(f"{path} is missing; fetch it again")
        size = path.stat().st_size
        if size < end:
            raise InputError(f"{path} has {size} bytes of {end}; fetch it again")
