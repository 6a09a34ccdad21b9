"""Files with something wrong in them, made at random, and what may come of reading them."""

import os

from numgpt.errors import InputError

CASES = int(os.environ.get("NUMGPT_FUZZ", "300"))  # damaged files in each test; a large number makes an evening of it
LONGEST_MESSAGE = 500
PIECES = [
    *(b"(", b")", b"[", b"]", b"{", b"}", b":", b",", b"'", b'"', b"\\", b"\n", b"\0", b"\xff", b"    ", b"#", b"*"),
    *(b"-1", b"0", b"0.5", b"1e999", b"9" * 30, b"9" * 400, b"NaN", b"null", b"None", b"true", b"lambda: 0"),
    *(b"'descr'", b"'<u2'", b"'<m8[ns]'", b"'shape'", b"(3,)", b"[[", b'{"a":', b'"step"', b'"x"', b"../"),
]


def damage(data, rng):
    """The bytes with one to four changes: a bit, a piece put in (perhaps 3,000 times), a stretch doubled or out."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        a = rng.randrange(len(data) + 1)
        b = min(len(data), a + rng.choice([1, 2, 8, 40]))
        kind = rng.randrange(9)
        if kind == 0 and a < len(data):
            data[a] ^= 1 << rng.randrange(8)
        elif kind < 5:
            data[a:b] = rng.choice(PIECES) * rng.choice([1, 1, 1, 1, 2, 3000])
        elif kind == 5:
            data[a:a] = data[a:b] * rng.choice([1, 1, 50])
        elif kind < 8:
            del data[a:b]
        else:
            del data[a:]
    return bytes(data)


def answer(call):
    """What `call` returns; None where it raises InputError, whose message must be one line and not long.

    Whatever else it raises is a fault of numgpt's.
    """
    try:
        return call()
    except InputError as error:
        said = str(error)
    assert said.count("\n") == 0
    assert len(said) <= LONGEST_MESSAGE, said
    return None
