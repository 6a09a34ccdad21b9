"""The sorted string table (SSTable) inside a checkpoint's `.index` file, LevelDB's format.

    file   = block*  metaindex block  index block  footer
    footer = 48 bytes: handle of the metaindex block, handle of the index block, zeros up to byte 40, 8 magic bytes
    handle = varint offset, varint size (without the block's 5-byte trailer)
    block  = contents, 1 byte compression type, 4 bytes masked crc32c over both
    contents = entry*, restart offsets (4 bytes each), their number (4 bytes)
    entry  = varint shared, varint unshared, varint value length, unshared bytes of key, value

A key repeats the first `shared` bytes of the key before it; at every restart, where a binary search may start,
`shared` is 0. The index block's values are the handles of the data blocks, in the order of their keys.
"""

from numgpt.checkpoint import crc32c
from numgpt.checkpoint.protobuf import read_varint
from numgpt.errors import InputError

FOOTER_BYTES = 48
HANDLES_BYTES = 40
TRAILER_BYTES = 5
LONGEST_KEY = 1000  # bytes; a few bytes of prefix compression can claim a long key again and again
MAGIC = bytes.fromhex("57fb808b247547db")


def read_table(data):
    """All (key, value) pairs, both bytes, of the table in `data` (bytes), in ascending order of keys.

    Every block's checksum is verified, the empty metaindex's as well, and the order of the keys.
    Raises InputError for a table that is cut short or damaged.
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
        raise InputError("a block lies beyond the end of the file")
    stored = int.from_bytes(data[end + 1 : end + TRAILER_BYTES], "little")
    if crc32c.mask(crc32c.extend(0, data[offset : end + 1])) != stored:
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
