"""TensorFlow's bundles: what TensorFlow wrote, what it could have written, and what a disk or a person made of it."""

import shutil
from contextlib import suppress
from itertools import pairwise

import google_crc32c
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numgpt.checkpoint import open_checkpoint, tensorflow
from numgpt.checkpoint.names import openai_name, parameter_shapes
from numgpt.checkpoint.tensorflow import read_fields, read_index, read_varint
from numgpt.checkpoint.tensors import extend_crc32c, masked_crc32c, read_tensors
from numgpt.config import OFFICIAL_SIZES
from numgpt.errors import InputError

DATA = "model.ckpt.data-00000-of-00001"
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(*fields):
    """Fields (number, value): ints as varints, bytes as such; as everywhere in protobuf, 0 is left out."""
    parts = []
    for number, value in fields:
        if isinstance(value, bytes):
            parts.append(varint(number << 3 | 2) + varint(len(value)) + value)
        elif value:
            parts.append(varint(number << 3) + varint(value))
    return b"".join(parts)


def checksum(data):
    return masked_crc32c(google_crc32c.value(data)).to_bytes(4, "little")


def block(pairs, interval=16):
    """The contents of a block that starts its keys anew every `interval` entries."""
    out, restarts, before = b"", [], b""
    for i, (key, value) in enumerate(pairs):
        shared = 0
        if i % interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return out + b"".join(n.to_bytes(4, "little") for n in [*restarts, len(restarts)])


def table_of(blocks, kind=0):
    """A table whose data blocks have these contents, each with the last of its keys; kind: compression type."""
    out, index = b"", []

    def append(contents, kind=0):
        nonlocal out
        handle = varint(len(out)) + varint(len(contents))
        out += contents + bytes([kind]) + checksum(contents + bytes([kind]))
        return handle

    index = [(key, append(contents, kind)) for contents, key in blocks]
    metaindex = append(block([]))
    footer = metaindex + append(block(index, interval=1))
    return out + footer.ljust(tensorflow.HANDLES_BYTES, b"\0") + tensorflow.MAGIC


def table_of_pairs(pairs, per_block, interval=16):
    groups = [pairs[i : i + per_block] for i in range(0, len(pairs), per_block)]
    keys = [group[-1][0] for group in groups]
    keys[-1] = bytes([max(keys[-1], b"\0")[0] + 1])  # the shortest key after the last, as TensorFlow writes it
    return table_of([(block(group, interval), key) for group, key in zip(groups, keys, strict=True)])


def entry(shape, size, crc, dtype=1, shard=0, offset=0, slices=b""):
    dimensions = [(2, message((1, n))) for n in shape]
    fields = message((1, dtype), (2, message(*dimensions)), (3, shard), (4, offset), (5, size))
    return fields + b"\x35" + crc + (message((7, slices)) if slices else b"")


HEADER = message((1, 1), (3, message((1, 1))))


def write_bundle(folder, arrays, shards=1, per_block=1000, interval=16):
    """`arrays` (name -> float32 array) as a bundle, its tensors dealt out to the shards in turn."""
    data = [b""] * shards
    pairs = [(b"", message((1, shards), (3, message((1, 1)))))]
    for i, (name, array) in enumerate(sorted(arrays.items())):
        raw = array.tobytes()
        shard = i % shards
        offset = len(data[shard])
        pairs.append((name.encode(), entry(array.shape, len(raw), checksum(raw), shard=shard, offset=offset)))
        data[shard] += raw
    (folder / "model.ckpt.index").write_bytes(table_of_pairs(pairs, per_block, interval))
    for shard, raw in enumerate(data):
        (folder / f"model.ckpt.data-{shard:05d}-of-{shards:05d}").write_bytes(raw)


def read_all(folder):
    tensors = read_index(folder / "model.ckpt")
    arrays = {tensor.name: np.empty(tensor.shape, np.float32) for tensor in tensors}
    read_tensors((tensor, arrays[tensor.name]) for tensor in tensors)
    return arrays


def read_model(folder):
    checkpoint = open_checkpoint(folder)
    arrays = {name: np.empty(shape, np.float32) for name, shape in parameter_shapes(checkpoint.config).items()}
    checkpoint.read_into(arrays)
    return arrays


def refuses(data, path, reason=None):
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        read_index(path.with_suffix(""))
    assert "\n" not in str(caught.value)


@pytest.fixture
def tiny(golden, tmp_path):
    """A copy of the model that TensorFlow wrote."""
    return shutil.copytree(golden / "tiny-gpt2" / "tf", tmp_path / "tf")


def test_checksum():
    assert extend_crc32c(0, b"123456789") == 0xE3069283  # the check value of CRC-32C's definition
    assert extend_crc32c(extend_crc32c(0, b"1234"), np.frombuffer(b"56789", np.uint8)) == 0xE3069283


def test_the_writer_of_these_tests_writes_what_tensorflow_wrote(golden, tmp_path):
    folder = golden / "tiny-gpt2" / "tf"
    write_bundle(tmp_path, read_all(folder))
    for name in "model.ckpt.index", DATA:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("size", ["124M", "355M", "1558M"])
def test_official_index(shared, size):
    tensors = read_index(shared / "gpt2" / "official" / size / "model.ckpt")
    shapes = parameter_shapes(OFFICIAL_SIZES[size])
    stored = {openai_name(name): shape for name, shape in shapes.items()}
    expected = {name: (1, *shape) if name.endswith("/w") else shape for name, shape in stored.items()}
    assert {tensor.name: tensor.shape for tensor in tensors} == expected
    assert all(tensor.readable and tensor.dtype == "F32" for tensor in tensors)
    in_order = sorted(tensors, key=lambda tensor: tensor.offset)
    assert all(before.offset + before.size == after.offset for before, after in pairwise(in_order))
    sizes = {"124M": 497759232, "355M": 1419292672, "1558M": 6230444800}
    assert in_order[-1].offset + in_order[-1].size == sizes[size]


names = st.text(st.sampled_from("ab/"), min_size=1, max_size=12)


@same_folder
@given(
    names=st.sets(names, min_size=1, max_size=40),
    shards=st.integers(1, 3),
    per_block=st.integers(1, 12),
    interval=st.integers(1, 5),
)
def test_blocks_prefixes_and_shards(tmp_path, names, shards, per_block, interval):
    arrays = {name: np.full((1 + i % 3, 2), i, np.float32) for i, name in enumerate(sorted(names))}
    write_bundle(tmp_path, arrays, shards, per_block, interval)
    read = read_all(tmp_path)
    assert list(read) == list(arrays)
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


def test_offsets_have_64_bits(tmp_path):
    far = (1 << 40) + 5
    pairs = [(b"", HEADER), (b"x", entry((2,), 8, b"1234", offset=far))]
    (tmp_path / "m.index").write_bytes(table_of_pairs(pairs, 9))
    (tensor,) = read_index(tmp_path / "m")
    assert tensor.offset == far
    assert tensor.crc32c == int.from_bytes(b"1234", "little")


def test_every_flipped_bit_of_an_index_is_noticed(tiny):
    path = tiny / "model.ckpt.index"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        refuses(damaged, path)


def test_every_truncation_of_an_index_is_noticed(tiny):
    path = tiny / "model.ckpt.index"
    whole = path.read_bytes()
    for length in range(len(whole)):
        refuses(whole[:length], path)


@same_folder
@given(data=st.data())
def test_flipped_bits_of_the_data_are_noticed(tiny, data):
    path = tiny / DATA
    whole = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="checksum of tensor 'model/.*' does not match"):
        read_model(tiny)
    path.write_bytes(whole)


@pytest.mark.parametrize("length", [0, 1, 1000, 20543])
def test_data_cut_short(tiny, length):
    path = tiny / DATA
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=f"{DATA} has {length} bytes of 20544"):
        open_checkpoint(tiny)


def test_data_cut_short_after_opening(tiny):
    checkpoint = open_checkpoint(tiny)
    (tiny / DATA).write_bytes(b"")
    arrays = {name: np.empty(shape, np.float32) for name, shape in parameter_shapes(checkpoint.config).items()}
    with pytest.raises(InputError, match="ends inside tensor"):
        checkpoint.read_into(arrays)


def test_preallocated_data_of_an_unfinished_download(tiny):
    path = tiny / DATA
    whole = path.read_bytes()
    path.write_bytes(whole[:10000].ljust(len(whole), b"\0"))
    with pytest.raises(InputError, match="download was not finished"):
        read_model(tiny)


def test_missing_data(tiny):
    (tiny / DATA).unlink()
    with pytest.raises(InputError, match=f"{DATA} is missing"):
        open_checkpoint(tiny)


good_entry = entry((2,), 8, b"1234")
UNREADABLE = {
    "compressed": table_of([(block([(b"", HEADER)]), b"a")], kind=1),
    "ascending": table_of_pairs([(b"", HEADER), (b"b", good_entry), (b"a", good_entry)], 9),
    "header": table_of_pairs([(b"x", good_entry)], 9),
    "big-endian": table_of_pairs([(b"", message((1, 1), (2, 1))), (b"x", good_entry)], 9),
    "partitioned": table_of_pairs([(b"", HEADER), (b"x", entry((2,), 8, b"1234", slices=b"1"))], 9),
    "shard 1, but there are only 1": table_of_pairs([(b"", HEADER), (b"x", entry((2,), 8, b"1234", shard=1))], 9),
    "endless key": table_of_pairs([(b"", HEADER), (b"x" * 1001, good_entry)], 9),
    "too many": bytes((1 << 20) + 1),
    "restart": table_of([(b"", b"a")]),
    "overruns": table_of([(b"\5\0\0" + block([])[:-8] + bytes(4) + b"\1\0\0\0", b"a")]),
    "wire type 3": table_of_pairs([(b"", b"\x0b")], 9),
    "cut off": table_of_pairs([(b"", HEADER), (b"x", good_entry[:-1])], 9),
    "varint": table_of_pairs([(b"", b"\x08" + b"\xff" * 9 + b"\x7f")], 9),
    "ascending order": table_of([(block([(b"", HEADER), (b"x", good_entry)]), b"x")] * 2),
}


@pytest.mark.parametrize("reason", UNREADABLE)
def test_what_is_whole_but_not_readable(tmp_path, reason):
    refuses(UNREADABLE[reason], tmp_path / "m.index", reason)


def test_another_type_has_its_number_in_the_error(tmp_path):
    pairs = [(b"", HEADER), (b"model/step", entry((), 8, b"1234", dtype=9))]
    (tmp_path / "m.index").write_bytes(table_of_pairs(pairs, 9))
    (tensor,) = read_index(tmp_path / "m")
    assert (tensor.dtype, tensor.readable) == ("DT_9", False)


@same_folder
@given(contents=st.binary(max_size=80))
def test_any_block_with_a_right_checksum(tmp_path, contents):
    """Somebody can give rubbish a right checksum; it ends in tensors or in an InputError."""
    blocks = table_of([(block([(b"", HEADER)]), b"z")])[: -tensorflow.FOOTER_BYTES]
    for data in (
        table_of([(contents, b"z")]),
        table_of_pairs([(b"", HEADER), (b"x", contents)], 9),
        blocks + contents.ljust(tensorflow.HANDLES_BYTES, b"\0")[: tensorflow.HANDLES_BYTES] + tensorflow.MAGIC,
    ):
        (tmp_path / "m.index").write_bytes(data)
        with suppress(InputError):
            read_index(tmp_path / "m")


@given(st.integers(0, 2**64 - 1))
def test_varints(number):
    assert read_varint(b"x" + varint(number) + b"y", 1) == (number, 1 + len(varint(number)))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 11, b"\xff" * 9 + b"\x02"])
def test_what_is_no_varint(data):
    with pytest.raises(InputError):
        read_varint(data, 0)


def test_fields():
    data = message((1, 300), (2, b"ab"), (2, b"")) + b"\x35\x01\0\0\0" + b"\x39\x02\0\0\0\0\0\0\0"
    assert read_fields(data) == [((1, 0), 300), ((2, 2), b"ab"), ((2, 2), b""), ((6, 5), 1), ((7, 1), 2)]
