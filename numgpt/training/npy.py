"""Tokens in a .npy file, NumPy's own format, read by a parser that accepts what the format allows and nothing more.

A file has the six bytes \\x93NUMPY, two bytes of version, the length of the header (little-endian, two bytes, or four
from version 2 on), the header, a Python dictionary such as {'descr': '<u2', 'fortran_order': False, 'shape': (1000,),
}, and the numbers. NumPy's reader passes the header to Python's parser, which fails in a dozen ways on a damaged one.
"""

import os
import re

import numpy as np

from numgpt.errors import InputError
from numgpt.files import quoted

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # bytes, NumPy's own limit; that of one row of numbers has 118
FIELD = re.compile(
    rb"\s*'(descr|fortran_order|shape)'\s*:\s*('[<>|=]?[a-zA-Z]\d{0,4}'|True|False|\([0-9, ]*\))\s*(,|$)"
)
INTEGER = re.compile(r"[<>|=]?[iu][1248]")
NUMBER = re.compile(r"[<>|=]?[iufc][0-9]{1,2}|[|]b1")


def map_tokens(path):
    """The whole numbers in a .npy file, (N,), mapped into memory, read-only.

    Raises InputError for a file that is damaged or holds anything but one row of whole numbers; OSError if reading
    fails.
    """
    with open(path, "rb") as file:
        fields, offset = _read_header(file, path)
        size = os.fstat(file.fileno()).st_size
    dtype, shape = fields["descr"].strip("'"), _numbers(fields["shape"])
    if not NUMBER.fullmatch(dtype) or fields["fortran_order"] not in ("True", "False") or shape is None:
        raise _damaged(path, f"its header says {quoted(fields)}")
    if not INTEGER.fullmatch(dtype) or len(shape) != 1:
        raise InputError(f"{path} holds {_name(dtype)} of shape {quoted(shape)}: tokens are one row of whole numbers")
    dtype = np.dtype(dtype)
    if offset + shape[0] * dtype.itemsize != size:
        raise _damaged(path, f"{shape[0]} numbers of {dtype.itemsize} bytes do not end where the file does")
    return np.memmap(path, dtype, "r", offset, shape)


def _read_header(file, path):
    """{name: text of the value}, and the number of bytes before the numbers."""
    start = file.read(8)
    if start[:6] != MAGIC or len(start) < 8:
        raise _damaged(path, "it does not begin like one")
    width = 2 if start[6] == 1 else 4
    length = file.read(width)
    n = int.from_bytes(length, "little")
    header = file.read(n) if n <= LONGEST_HEADER else b""
    if start[6] not in (1, 2, 3) or start[7] or len(length) < width or len(header) < n:
        raise _damaged(path, "its header is cut off, or of an unknown version")
    return _parse(header, path), 8 + width + n


def _parse(header, path):
    inside, fields = header.strip()[1:-1], {}
    whole = header.strip()[:1] + header.strip()[-1:] == b"{}"
    place = 0
    while whole and inside[place:].strip():
        field = FIELD.match(inside, place)
        if not field or field[1].decode() in fields:
            break
        fields[field[1].decode()] = field[2].decode()
        place = field.end()
    if len(fields) != 3 or inside[place:].strip():
        raise _damaged(path, f"its header is {quoted(header)}")
    return fields


def _numbers(shape):
    """(1000,) from its text; None for anything else. No size in a file has more than 19 digits."""
    if not re.fullmatch(r"\(( *\d{1,19} *,)* *(\d{1,19} *)?\)", shape) or re.fullmatch(r"\( *\d+ *\)", shape):
        return None
    return tuple(map(int, re.findall(r"\d+", shape)))


def _name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError:
        return dtype


def _damaged(path, reason):
    return InputError(f"{path} is not a .npy file of numbers, or is damaged: {reason}")
