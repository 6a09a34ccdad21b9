"""Headers of .npy files, whole and damaged."""

import io
import random

import numpy as np
import pytest

from damage import CASES, answer, damage
from numgpt.errors import InputError
from numgpt.training.npy import map_tokens


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "<i2", "<u4", ">i4", "<i8", ">u8"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_what_numpy_writes(tmp_path, dtype, version):
    path = tmp_path / "a.npy"
    for n in 0, 1, 1000:
        values = np.arange(n).astype(dtype)
        with open(path, "wb") as file:
            np.lib.format.write_array(file, values, version)
        tokens = map_tokens(path)
        assert isinstance(tokens, np.memmap)
        assert tokens.dtype == values.dtype
        assert np.array_equal(tokens, values)
        with pytest.raises(ValueError, match="read-only"):
            tokens[:1] = 1


def test_what_others_write(tmp_path):
    """In another order, without the last comma, without padding."""
    for header in (
        b"{'descr': '<u2', 'fortran_order': True, 'shape': (3,)}",
        b"{'shape':(3,),'descr':'<u2','fortran_order':False}\n",
        b" { 'fortran_order' : False , 'descr' : '<u2' , 'shape' : ( 3, ) , } \n",
    ):
        assert map_tokens(write(tmp_path, header)).tolist() == [1, 2, 3]


def write(folder, header, version=1, values=b"\1\0\2\0\3\0"):
    path = folder / "a.npy"
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 * version, "little") + header + values)
    return path


def header(descr="'<u2'", order="False", shape="(3,)", rest=""):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {rest}}}\n".encode()


@pytest.mark.parametrize(
    "damaged",
    [
        header("{[]: 1}"),
        header(rest="{}: 1"),
        header(rest="[1]: 1"),
        header(shape="(" * 4000 + ")" * 4000),
        header(rest="[" * 4000),
        header(shape="(99999999999999999999,)"),
        header(shape=f"({10**400},)"),
        header(shape="(4,)"),
        header(shape="(2,)"),
        header(shape="(-3,)"),
        header(shape="(3)"),
        header(shape="3"),
        header(shape="()", descr="'<u2"),
        header("'<m8[ns]'"),
        header("'<M8[s]'"),
        header("'|O'"),
        header("'<U5'"),
        header("[('a', '<u2')]"),
        header("'<u2,<u2'"),
        header("'<u3'"),
        header("'<f8'"),
        header("'|b1'"),
        header("'<f99'"),
        header(order="0"),
        header(order="'<u2'"),
        header(shape="(3, 3)"),
        header(rest="'descr': '<u4'"),
        header("'<u2\n"),
        header("'<u2'")[:-4],
        b"  \n\t  x",
        b"",
        b"\xff" * 60,
        b"{" * 9000,
        b"__import__('os').system('true')",
    ],
)
@pytest.mark.parametrize("version", [1, 2])
def test_damaged_headers(tmp_path, damaged, version):
    with pytest.raises(InputError) as error:
        map_tokens(write(tmp_path, damaged, version))
    assert len(str(error.value)) - len(str(tmp_path)) < 300
    assert "\n" not in str(error.value)


def test_a_length_of_the_header_beyond_the_file(tmp_path):
    for length in 1000, 0xFFFFFFFF:
        data = b"\x93NUMPY\2\0" + length.to_bytes(4, "little") + header()
        (tmp_path / "a.npy").write_bytes(data)
        with pytest.raises(InputError, match="its header is cut off"):
            map_tokens(tmp_path / "a.npy")


def test_a_version_of_the_future(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\1" + write(tmp_path, header()).read_bytes()[8:])
    for path in tmp_path / "a.npy", write(tmp_path, header(), version=9):
        with pytest.raises(InputError, match="of an unknown version"):
            map_tokens(path)


def test_any_damage_is_an_input_error_or_no_damage(tmp_path):
    """Where a damaged file is read all the same, NumPy reads the same of it."""
    rng = random.Random(1)
    path = tmp_path / "a.npy"
    n_read = 0
    for _ in range(CASES):
        whole = io.BytesIO()
        values = np.arange(rng.randrange(9)).astype(rng.choice(["<u2", "|u1", ">i4", "<i8"]))
        np.lib.format.write_array(whole, values, (rng.choice([1, 2]), 0))
        path.write_bytes(damage(whole.getvalue(), rng))
        tokens = answer(lambda: map_tokens(path))
        if tokens is not None:
            assert np.array_equal(tokens, np.load(path))
            n_read += 1
    assert 0 < n_read < CASES / 2
