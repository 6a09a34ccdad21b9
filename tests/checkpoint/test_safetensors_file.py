"""The safetensors format: reading it, refusing what is damaged, writing it."""

import io
import json
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from numgpt.checkpoint import tensors
from numgpt.checkpoint.safetensors_file import read_header, write_safetensors
from numgpt.checkpoint.tensors import CHUNK_BYTES, read_tensors
from numgpt.errors import InputError

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([7.5], np.float32)}


def pack(header, data=b"", length=None):
    """A file with this header (anything that JSON can say, or bytes) and data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(shape=(2,), begin=0, end=8, dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def read_all(path, dtype=np.float32):
    header = read_header(path)
    arrays = {tensor.name: np.full(tensor.shape, 99, dtype) for tensor in header}
    read_tensors((tensor, arrays[tensor.name]) for tensor in header)
    return arrays


def write(path, arrays, dtype=None):
    with open(path, "wb") as file:
        write_safetensors(file, arrays, dtype)
    return path


def upper_halves(values):
    """float32 values as bfloat16, by cutting off the lower halves of their bits."""
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2")


@pytest.mark.parametrize("padding", range(4))
def test_values_may_start_anywhere(tmp_path, padding):
    raw = b"".join(array.tobytes() for array in ARRAYS.values())
    header = json.dumps({"a": entry((2, 3), 0, 24), "b": entry((1,), 24, 28)}).encode() + b" " * padding
    (tmp_path / "x").write_bytes(pack(header, raw))
    read = read_all(tmp_path / "x")
    assert all(np.array_equal(read[name], array) for name, array in ARRAYS.items())


def test_order_of_the_header_is_not_that_of_the_data(tmp_path):
    header = {"b": entry((1,), 24, 28), "a": entry((2, 3), 0, 24), "__metadata__": {"format": "pt"}}
    (tmp_path / "x").write_bytes(pack(header, ARRAYS["a"].tobytes() + ARRAYS["b"].tobytes()))
    read = read_all(tmp_path / "x")
    assert list(read) == ["b", "a"]
    assert all(np.array_equal(read[name], array) for name, array in ARRAYS.items())


@same_folder
@given(
    arrays=st.dictionaries(
        st.text(max_size=5).filter(lambda name: name != "__metadata__"),
        st_numpy.arrays(
            st.sampled_from(["<f2", "<f4", "<f8", ">f4"]),
            st_numpy.array_shapes(min_dims=0, min_side=0, max_side=4),
            elements=st.floats(-1000, 1000, width=16),
        ),
        max_size=4,
    )
)
def test_what_is_written_reads_back(tmp_path, arrays):
    read = read_all(write(tmp_path / "x", arrays), np.float64)
    assert list(read) == list(arrays)
    assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def test_layout_of_what_is_written():
    file = io.BytesIO()
    write_safetensors(file, ARRAYS)
    data = file.getvalue()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    assert json.loads(data[8 : 8 + length]) == {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F32", "shape": [1], "data_offsets": [24, 28]},
    }
    assert data[8 + length :] == ARRAYS["a"].tobytes() + ARRAYS["b"].tobytes()


def test_a_transposed_array_is_written_in_its_own_order(tmp_path):
    path = write(tmp_path / "x", {"a": ARRAYS["a"].T, "every second": np.arange(8.0)[::2]})
    read = read_all(path, np.float64)
    assert np.array_equal(read["a"], ARRAYS["a"].T)
    assert np.array_equal(read["every second"], [0, 2, 4, 6])


@pytest.mark.parametrize("stored", ["float16", "float32", "float64"])
@pytest.mark.parametrize("wanted", [np.float32, np.float64])
def test_types_are_converted(tmp_path, stored, wanted):
    """More values than a chunk holds, so that its borders are crossed."""
    values = np.random.default_rng(0).standard_normal((3, CHUNK_BYTES // 7))
    read = read_all(write(tmp_path / "x", {"a": values}, stored), wanted)["a"]
    assert read.dtype == wanted
    assert np.array_equal(read, values.astype(stored).astype(wanted))


@pytest.mark.parametrize("wanted", [np.float32, np.float64])
def test_bfloat16_is_widened(tmp_path, wanted):
    values = np.random.default_rng(0).standard_normal((CHUNK_BYTES // 2 + 3, 2)).astype(np.float32)
    special = np.array([0, -0.0, 1, -1, 1e-40, 3e38, np.inf, -np.inf, np.nan, 0.15625], np.float32)
    values.reshape(-1)[: len(special)] = special
    bits = upper_halves(values)
    raw = bits.tobytes()
    (tmp_path / "x").write_bytes(pack({"a": entry(values.shape, 0, len(raw), "BF16")}, raw))
    read = read_all(tmp_path / "x", wanted)["a"]
    expected = (bits.astype("<u4") << 16).view("<f4")
    assert np.array_equal(read, expected.astype(wanted), equal_nan=True)
    assert read.reshape(-1)[:4].tolist() == [0, 0, 1, -1]
    assert read.reshape(-1)[9] == 0.15625
    np.testing.assert_allclose(read, values, rtol=2**-7, atol=1e-40)


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_reading_needs_no_second_copy(tmp_path, dtype):
    destination = np.empty(1 << 22, np.float32)
    raw = bytes(len(destination) * (4 if dtype == "F32" else 2))
    (tmp_path / "x").write_bytes(pack({"a": entry(destination.shape, 0, len(raw), dtype)}, raw))
    (tensor,) = read_header(tmp_path / "x")
    tracemalloc.start()
    read_tensors([(tensor, destination)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not destination.any()
    assert peak < 6 * CHUNK_BYTES  # of 16 or 8 MiB


def test_a_disk_that_delivers_little_at_a_time(tmp_path, monkeypatch):
    class Slow(io.FileIO):
        def readinto(self, view):
            return super().readinto(view[:5])

    path = write(tmp_path / "x", ARRAYS)
    monkeypatch.setattr(tensors, "open", lambda path, mode, buffering: Slow(path), raising=False)
    read = read_all(path)
    assert all(np.array_equal(read[name], array) for name, array in ARRAYS.items())


def test_a_destination_that_is_not_contiguous_is_refused(tmp_path):
    (tensor, _) = read_header(write(tmp_path / "x", ARRAYS))
    with pytest.raises(ValueError, match="contiguous"):
        read_tensors([(tensor, np.empty((3, 2), np.float32).T)])


F32 = np.zeros(2, np.float32).tobytes()
ONE = json.dumps(entry()).encode()
DAMAGED = [
    ("fewer than its header claims", pack({"a": entry()}, F32, length=1 << 40)),
    ("fewer than its header claims", pack({"a": entry()}, F32, length=2**64 - 1)),
    ("fewer than its header claims", bytes(7)),
    ("fewer than its header claims", b""),
    ("too long for a GPT-2", pack(b"{}".ljust(10_000_001))),
    ("expected a JSON object", pack([])),
    ("expected a JSON object", pack(3)),
    ("not usable JSON", pack({"a": entry()}, F32, length=20)),
    ("not usable JSON", pack(b"", F32)),
    ("not UTF-8: byte 0xff", pack(b'{"\xff": 1}')),
    ("nested too deeply", pack(b'{"a":' + b"[" * 100_000)),
    ("'a' occurs twice", pack(b'{"a":' + ONE + b',"a":' + ONE + b"}", F32)),
    ("integer of 5000 digits", pack(b'{"a":' + b"9" * 5000 + b"}")),
    ("NaN is not a JSON number", pack(b'{"a":NaN}')),
    ("metadata__ must hold text", pack({"__metadata__": {"format": 1}})),
    ("metadata__ must hold text", pack({"__metadata__": None})),
    ("'a' must have a dtype", pack({"a": 1}, F32)),
    ("'a' must have a dtype", pack({"a": {**entry(), "device": "cpu"}}, F32)),
    ("'a' must have a dtype", pack({"a": {"dtype": "F32", "shape": [2]}}, F32)),
    ("unknown dtype 'F33'", pack({"a": entry(dtype="F33")}, F32)),
    (r"unknown dtype \['F32'\]", pack({"a": entry(dtype=["F32"])}, F32)),
    (r"shape must be .* not \[-2, -1\]", pack({"a": entry((-2, -1))}, F32)),
    (r"shape must be .* not \[2.0\]", pack({"a": entry((2.0,))}, F32)),
    (r"shape must be .* not \[True, 2\]", pack({"a": entry((True, 2))}, F32)),
    (r"shape must be .* not \[10+, 10+, 10+,", pack({"a": entry([10**19] * 400_000)}, F32)),
    ("shape must be .* not 2", pack({"a": {**entry(), "shape": 2}}, F32)),
    (r"data_offsets must be .* not \[0.0, 8\]", pack({"a": entry(begin=0.0)}, F32)),
    (r"data_offsets must be .* not \[-8, 0\]", pack({"a": entry(begin=-8, end=0)}, F32)),
    (r"data_offsets must be .* not \[0, 8, 8\]", pack({"a": {**entry(), "data_offsets": [0, 8, 8]}}, F32)),
    (r"data_offsets must be .* not \[0, inf\]", pack(b'{"a":' + ONE.replace(b" 8]", b" 1e400]") + b"}", F32)),
    (r"data_offsets \[8, 0\] do not fit", pack({"a": entry(begin=8, end=0)}, F32)),
    (r"data_offsets \[0, 4\] do not fit F32 values of shape \[2\]", pack({"a": entry(end=4)}, F32)),
    ("data_offsets .* do not fit", pack({"a": entry((10**19, 10**19))}, F32)),
    ("describes 77 bytes, but the file has 73", pack({"a": entry()}, F32[:4])),
    ("describes 77 bytes, but the file has 78", pack({"a": entry()}, F32 + b"x")),
    ("describes 10000000000000000106 bytes", pack({"a": entry((10**19 // 4,), 0, 10**19)}, F32)),
    ("'a' leaves a gap", pack({"a": entry(begin=8, end=16)}, F32 * 2)),
    ("'b' overlaps", pack({"a": entry(), "b": entry(begin=4, end=12)}, F32 + F32[:4])),
    ("'b' overlaps", pack({"a": entry(), "b": entry()}, F32)),
    (r"'a\\nb\\ud800' leaves", pack({"a\nb\ud800": entry(begin=8, end=16)}, F32 * 2)),
]


@pytest.mark.parametrize(("reason", "data"), DAMAGED, ids=[reason for reason, _ in DAMAGED])
def test_damaged_headers(tmp_path, reason, data):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=reason) as caught:
        read_header(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    message.encode()  # a lone surrogate could not be printed


def test_every_truncation_is_noticed(tmp_path):
    whole = write(tmp_path / "x", ARRAYS).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "x").write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_header(tmp_path / "x")


@same_folder
@given(data=st.data())
def test_a_changed_header_is_read_or_refused(tmp_path, data):
    """Not every change can be noticed: nothing protects the letters of a name."""
    damaged = bytearray(write(tmp_path / "x", ARRAYS).read_bytes())
    damaged[data.draw(st.integers(0, len(damaged) - 29))] = data.draw(st.integers(0, 255))
    (tmp_path / "x").write_bytes(damaged)
    with suppress(InputError):
        assert sum(array.size for array in read_all(tmp_path / "x").values()) == 7


@pytest.mark.parametrize("dtype", ["int32", "bfloat16", "F32", "float128", object])
def test_types_that_are_not_written(dtype):
    with pytest.raises(InputError, match="'a' cannot be written as .* use float16, float32, float64"):
        write_safetensors(io.BytesIO(), ARRAYS, dtype)


def test_an_array_of_another_type_is_not_written():
    with pytest.raises(InputError, match="'ids' cannot be written as int64"):
        write_safetensors(io.BytesIO(), {"ids": np.arange(3)})


def test_values_that_float16_cannot_hold(tmp_path):
    with pytest.raises(InputError, match="'a' has values too large for float16"):
        write(tmp_path / "x", {"a": np.array([1, 1e6])}, "float16")
    assert np.isposinf(read_all(write(tmp_path / "x", {"a": np.array([np.inf])}, "float16"))["a"])


def test_reading_side_by_side(tmp_path, monkeypatch):
    """Whatever the number of threads, every tensor gets its values, and damage is told."""
    rng = np.random.default_rng(3)
    arrays = {f"t{n}": rng.standard_normal(size, np.float32) for n, size in enumerate((5, 300, 1, 7, 90, 2, 0, 40))}
    with open(tmp_path / "x.safetensors", "wb") as file:
        write_safetensors(file, arrays)
    header = read_header(tmp_path / "x.safetensors")
    monkeypatch.setattr(tensors, "LEAST_BYTES", 1)
    for n in (1, 2, 3, 20):
        monkeypatch.setattr(tensors, "READERS", n)
        found = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
        read_tensors((tensor, found[tensor.name]) for tensor in header)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
        assert len(tensors._divide([(tensor, None) for tensor in header], n)) <= n
    with open(tmp_path / "x.safetensors", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(InputError, match="ends inside tensor"):
        read_tensors((tensor, found[tensor.name]) for tensor in header)
