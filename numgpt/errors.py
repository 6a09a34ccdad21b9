"""The one exception for errors that the caller can correct, and notices, which are not errors."""

import sys
import textwrap

LONGEST = 500  # characters of a message
COLUMNS = 100  # of a notice


class InputError(ValueError):
    """A file, an argument or a text that cannot be used as it is.

    Its message is one line that says what is wrong, where, and what to do about it. A message of more than LONGEST
    characters is cut in the middle. The command line prints that line and exits with status 2. An exception that is
    neither an InputError nor an OSError is a bug in numgpt and keeps its traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shorten(message, LONGEST))


def shorten(text: str, longest: int) -> str:
    """`text` as one line of at most `longest` characters, cut in the middle if it is longer."""
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    end = (longest - 3) // 3
    return f"{line[: longest - 3 - end]}...{line[-end:]}"


def notice(text: str) -> None:
    """Print to standard error something that is not an error, in lines of at most COLUMNS; paths are not broken."""
    lines = textwrap.wrap(
        f"numgpt: {text}", COLUMNS, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    print("\n".join(lines), file=sys.stderr)
