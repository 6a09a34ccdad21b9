"""What a message may look like, whatever went into it."""

import pytest

from numgpt.errors import LONGEST, InputError
from numgpt.files import check_path, quoted


def test_a_message_is_one_line_that_is_not_long():
    assert str(InputError("wrong\n twice")) == "wrong twice"
    long = str(InputError("begin " + "x" * 10_000 + " end"))
    assert len(long) == LONGEST
    assert (long[:6], long[-4:]) == ("begin ", " end")


class Unprintable:
    def __repr__(self):
        raise ArithmeticError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ("a\nb", r"'a\nb'"),
        (10**5000, "a number of thousands of digits"),
        ([10**5000], "a list"),
        ([1] * 10**6, "[1, 1, 1, 1, 1, 1, ...]"),
        ("x" * 10**6, "'" + "x" * 76 + "..."),
    ],
    ids=["None", "two lines", "digits", "digits in a list", "a long list", "a long text"],
)
def test_a_value_is_shown_short(value, shown):
    assert quoted(value) == shown


def test_a_value_that_cannot_be_printed():
    assert "Unprintable" in quoted(Unprintable())
    assert len(quoted([Unprintable()] * 10)) <= 80


@pytest.mark.parametrize("path", [None, 3, b"x", ["a"], "a\0b", "\ud800", "x" * 256, "x/" * 3000])
def test_what_cannot_be_a_file(path):
    with pytest.raises(InputError, match="^the folder "):
        check_path(path, "the folder")
