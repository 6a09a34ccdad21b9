"""TensorFlow's checkpoint format, the tensor bundle: what `model.ckpt.index` says about `model.ckpt.data-*`.

The data files, the shards, hold the values as raw little-endian arrays. The index is a sorted string table (SSTable),
LevelDB's format, from a tensor's name to a BundleEntryProto; the key "", which sorts first, holds the BundleHeaderProto
(tensorflow/core/protobuf/tensor_bundle.proto).

    file   = block*  metaindex block  index block  footer
    footer = 48 bytes: handle of the metaindex block, handle of the index block, zeros up to byte 40, 8 magic bytes
    handle = varint offset, varint size (without the block's 5-byte trailer)
    block  = contents, 1 byte compression type, 4 bytes masked crc32c over both
    contents = entry*, restart offsets (4 bytes each), their number (4 bytes)
    entry  = varint shared, varint unshared, varint value length, unshared bytes of key, value

A key repeats the first `shared` bytes of the key before it; at every restart, where a binary search may start,
`shared` is 0. The index block's values are the handles of the data blocks, in the order of their keys.

A value is a message in Protocol Buffers' wire format: a row of fields, each a varint key (number * 8 + wire type) and
a value. A field that has its default value, zero, is not written at all.
"""

from pathlib import Path

from numgpt.checkpoint.tensors import StoredTensor, extend_crc32c, masked_crc32c
from numgpt.errors import InputError
from numgpt.files import quoted

LARGEST_INDEX = 1 << 20  # bytes; that of the largest GPT-2 has 20,724
FLOAT_NAMES = {1: "F32", 2: "F64", 14: "BF16", 19: "F16"}  # numbered in tensorflow/core/framework/types.proto
FOOTER_BYTES = 48
HANDLES_BYTES = 40
TRAILER_BYTES = 5
LONGEST_KEY = 1000  # bytes; with prefix compression, a few bytes can claim a long key again and again
MAGIC = bytes.fromhex("57fb808b247547db")
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


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
    return [_read_tensor(key, value, prefix, shards) for key, value in pairs[1:]]


def _read_tensor(key, value, prefix, shards):
    """The StoredTensor of one BundleEntryProto; what it leaves out is zero."""
    name = key.decode("utf-8", "backslashreplace")
    fields = dict(read_fields(value))
    if (7, BYTES) in fields:
        raise InputError(f"tensor {quoted(name)} is partitioned, which numgpt does not read")
    shard = fields.get((3, VARINT), 0)
    if shard >= shards:
        raise InputError(f"tensor {quoted(name)} is in shard {shard}, but there are only {shards}")
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


def read_table(data):
    """All (key, value) pairs, both bytes, of the table in `data` (bytes), in ascending order of keys.

    Every block's checksum is verified, even the empty metaindex's, and the order of the keys. Raises InputError for a
    table that is cut short or damaged.
    """
    metaindex, index = _read_footer(data)
    _read_block(data, *metaindex)
    pairs = []
    for _, handle in _read_entries(_read_block(data, *index)):
        offset, at = read_varint(handle, 0)
        size, at = read_varint(handle, at)
        for key, value in _read_entries(_read_block(data, offset, size)):
            if pairs and key <= pairs[-1][0]:
                raise InputError("its keys are not in ascending order")
            pairs.append((key, value))
    return pairs


def _read_footer(data):
    """The (offset, size) of the metaindex block and of the index block."""
    footer = data[-FOOTER_BYTES:]
    if len(footer) < FOOTER_BYTES or footer[HANDLES_BYTES:] != MAGIC:
        raise InputError("it does not end as an index of tensors does")
    numbers = []
    at = 0
    for _ in range(4):
        number, at = read_varint(footer, at)
        numbers.append(number)
    if any(footer[at:HANDLES_BYTES]):
        raise InputError("its last 48 bytes are damaged")
    return numbers[:2], numbers[2:]


def _read_block(data, offset, size):
    """The contents of a block, once its checksum matches."""
    end = offset + size
    if end + TRAILER_BYTES > len(data) - FOOTER_BYTES:
        raise InputError("a block extends beyond the end of the file")
    stored = int.from_bytes(data[end + 1 : end + TRAILER_BYTES], "little")
    if masked_crc32c(extend_crc32c(0, data[offset : end + 1])) != stored:
        raise InputError("the checksum of a block does not match")
    if data[end] != 0:
        raise InputError("a block is compressed, which TensorFlow does not do in checkpoints")
    return data[offset:end]


def _read_entries(block):
    """The (key, value) pairs of a block; reading all of them in order needs no restarts."""
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (1 + restarts)
    if len(block) < 4 or end < 0:
        raise InputError("a block is shorter than its restart array")
    pairs = []
    key = b""
    at = 0
    while at < end:
        shared, at = read_varint(block, at)
        unshared, at = read_varint(block, at)
        length, at = read_varint(block, at)
        if shared > len(key) or unshared + length > end - at:
            raise InputError("an entry of a block overruns it")
        if shared + unshared > LONGEST_KEY:
            raise InputError("an entry of a block has an endless key")
        key = key[:shared] + block[at : at + unshared]
        at += unshared + length
        pairs.append((key, block[at - length : at]))
    return pairs


def read_varint(data, at):
    """(value, position after it) of the varint at `at`: seven bits a byte, lowest first, high bit on all but the last.

    Raises InputError for a varint that is cut off, exceeds 64 bits or has more bytes than its value needs.
    """
    value = 0
    for index in range(10):
        if at + index >= len(data):
            raise InputError("a number is cut off")
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >> 64 or (byte == 0 and index):
                break
            return value, at + index + 1
    raise InputError("a number is not written as a varint of 64 bits")


def read_fields(data):
    """The fields of a message as a list of ((number, wire type), value); values are ints, or bytes for BYTES.

    Raises InputError for data that is not a message.
    """
    fields = []
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
        elif kind == BYTES:
            length, at = read_varint(data, at)
            value, at = _take(data, at, length)
        elif kind in FIXED_SIZES:
            value, at = _take(data, at, FIXED_SIZES[kind])
            value = int.from_bytes(value, "little")
        else:
            raise InputError(f"a field has the unknown wire type {kind}")
        fields.append(((number, kind), value))
    return fields


def _take(data, at, length):
    if length > len(data) - at:
        raise InputError("a field is cut off")
    return data[at : at + length], at + length
