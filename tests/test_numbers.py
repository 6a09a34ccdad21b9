"""The check of every number that comes from outside."""

import math
from fractions import Fraction

import numpy as np
import pytest

from numgpt.errors import InputError
from numgpt.numbers import check_number


def test_numbers_within_their_limits():
    for value, limits in [
        (0, {}),
        (-1.5, {}),
        (10**300, {}),
        (3, {"whole": True, "low": 3}),
        ((1 << 63) - 1, {"whole": True}),
        ((1 << 128) - 1, {"whole": True, "below": 1 << 128}),
        (0.5, {"above": 0, "below": 1}),
    ]:
        assert check_number(value, "x", **limits) is value


def test_numbers_of_numpy_become_python_s():
    for value, whole, kind in [
        (np.int8(3), True, int),
        (np.float32(0.5), False, float),
        (Fraction(1, 2), False, float),
    ]:
        number = check_number(value, "x", whole=whole)
        assert (number, type(number)) == (value, kind)


@pytest.mark.parametrize(
    ("value", "limits", "reason"),
    [
        (True, {}, "must be a number, not True"),
        ("1", {}, "must be a number, not '1'"),
        (None, {"whole": True}, "must be a whole number, not None"),
        ([1] * 1000, {}, r"must be a number, not \[1, 1.*\.\.\."),
        (1j, {}, "must be a number"),
        (math.nan, {}, "must be a number, not nan"),
        (-math.inf, {}, "must be a number, not -inf"),
        (10**400, {}, r"must be a number, not 1000.*\.\.\."),
        (10**400, {"whole": True, "low": 0}, r"must be below 2\^63, not 1000.*\.\.\."),
        (1 << 128, {"whole": True, "low": 0, "below": 1 << 128}, "must be at least 0 and below 340"),
        (2.0, {"whole": True}, "must be a whole number, not 2.0"),
        (-1, {"whole": True, "low": 0}, "must be at least 0, not -1"),
        (-1, {"low": 0, "note": "0 is greedy"}, r"must be at least 0 \(0 is greedy\), not -1"),
        (2, {"low": 0, "high": 1}, "must be at least 0 and at most 1, not 2"),
        (0, {"below": 0}, "must be below 0, not 0"),
        (np.timedelta64(3, "s"), {"whole": True}, "must be a whole number, not np.timedelta64"),
        (np.bool_(True), {}, "must be a number"),
        (Fraction(10**400, 3), {}, "must be a number"),
        (0, {"above": 0}, "must be above 0, not 0"),
        (1, {"above": 0, "below": 1}, "must be above 0 and below 1, not 1"),
    ],
)
def test_what_is_refused(value, limits, reason):
    with pytest.raises(InputError, match=f"^x .*{reason}") as error:
        check_number(value, "x", **limits)
    assert len(str(error.value)) < 200


def test_a_number_that_python_does_not_write_out():
    with pytest.raises(InputError, match="x must be a number, not a number of thousands of digits"):
        check_number(10**5000, "x")
