"""The one exception for what a caller can put right."""

LONGEST = 500  # characters of a message


class InputError(ValueError):
    """A file, an argument or a text that cannot be used as it is.

    Its message is one line that says what is wrong, where, and what to do about it; a longer one, with a name of
    thousands of characters in it, is cut in the middle. The command line prints that line and exits with status 2;
    anything that is not an InputError or an OSError is a bug of numgpt's and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shorten(message, LONGEST))


def shorten(text: str, longest: int) -> str:
    """`text` as one line of at most `longest` characters, what is too much being left out in the middle."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    end = (longest - 3) // 3
    return f"{line[: longest - 3 - end]}...{line[-end:]}"
