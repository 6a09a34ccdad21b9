"""Which types of numbers a model can have."""

import numpy as np
import pytest

from numgpt.backend import float_type
from numgpt.errors import InputError

FLOATS = [("float32", np.float32), (np.float64, np.float64), (np.dtype("float32"), np.float32)]


@pytest.mark.parametrize(("dtype", "expected"), FLOATS)
def test_types_of_numbers(dtype, expected):
    assert float_type(dtype) == expected


@pytest.mark.parametrize(
    "dtype",
    [
        "float32,,(",
        "float32, (",
        "f4",
        "float16",
        "",
        "x" * 9000,
        None,
        4,
        [],
        {"a": 1},
        [("a", 10**30)],
        int,
        np.int32,
    ],
)
def test_what_is_no_type_of_numbers(dtype):
    """NumPy's own reading of a name ends in SyntaxError for some."""
    with pytest.raises(InputError, match="dtype must be float32 or float64, not ") as error:
        float_type(dtype)
    assert len(str(error.value)) < 150
