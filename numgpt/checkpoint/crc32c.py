"""CRC-32C (Castagnoli), the checksum of TensorFlow's files; the arithmetic is google-crc32c's."""

MASK_DELTA = 0xA282EAD8


def extend(crc, data):
    """The checksum of what gave `crc`, followed by `data` (bytes, or a contiguous array of uint8; 0 starts)."""
    import google_crc32c

    return google_crc32c.extend(crc, data)


def mask(crc):
    """`crc` as TensorFlow stores it: rotated right by 15 bits, plus a constant.

    The checksum of data that ends in its own checksum is the same for all data; the mask avoids that.
    """
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF
