"""The one exception for what a caller can put right."""


class InputError(ValueError):
    """A file, an argument or a text that cannot be used as it is.

    Its message is one line that says what is wrong, where, and what to do about it. The command line
    prints that line and exits with status 2; anything that is not an InputError or an OSError is a bug
    of numgpt's and keeps its traceback.
    """
