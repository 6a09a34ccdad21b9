"""The 256 bytes as printable characters, which is how GPT-2's files spell their tokens.

A vocabulary file holds text, but tokens are bytes. Printable bytes are written as the Latin-1 character of that number,
the other 68 as the characters from U+0100 on, in order: a space is U+0120, a newline U+010A.
"""

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in _PRINTABLE]

SYMBOL_OF_BYTE = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(256 + n) for n, byte in enumerate(_HIDDEN)}
_BYTE_OF_SYMBOL = {ord(symbol): byte for byte, symbol in SYMBOL_OF_BYTE.items()}


def to_symbols(token):
    """bytes -> str: b" the" -> "\\u0120the"."""
    return token.decode("latin-1").translate(SYMBOL_OF_BYTE)


def to_bytes(symbols):
    """str -> bytes: "\\u0120the" -> b" the". Every character must be one of the 256."""
    return symbols.translate(_BYTE_OF_SYMBOL).encode("latin-1")
