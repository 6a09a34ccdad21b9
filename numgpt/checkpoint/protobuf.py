"""The little of Protocol Buffers' wire format that TensorFlow's index files need.

A message is a row of fields, each a varint key (number * 8 + wire type) and a value. A field that has its
default value, zero, is not written at all.
"""

from numgpt.errors import InputError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


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

    Raises InputError for data that is no message.
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
