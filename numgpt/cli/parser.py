"""The parser of the command line: argparse with help that fits the terminal, and with advice on mistyped words."""

import argparse
import difflib
import re
import shlex
import textwrap
from itertools import groupby

from numgpt.errors import LONGEST, shorten

STATUS_USER_ERROR = 2
CHOICE = re.compile(r"argument (.*?): invalid choice: (?:'(.*?)'|(.*?)) \(choose from (.*)\)", re.DOTALL)
TABLE = re.compile(r"(\s+\S.*?\s{2,})(\S.*)")  # an indented line of two columns
TEXTS = ("PROMPT", "TEXT")  # arguments that may consist of several words


class Help(argparse.HelpFormatter):
    """Format descriptions and epilogs: fill paragraphs, keep indented lines, and fill their second columns."""

    def add_argument(self, action):
        """As in argparse, which forgets how far the names of commands are indented."""
        super().add_argument(action)
        if hasattr(action, "_get_subactions"):
            self._action_max_length += self._indent_increment

    def _fill_text(self, text, width, indent):
        lines = []
        for kind, group in groupby(text.strip("\n").split("\n"), lambda line: line[:1].isspace() or not line):
            if kind:
                lines += (line for row in group for line in row_of(row, width))
            else:
                lines += textwrap.wrap(" ".join(group), width, break_long_words=False, break_on_hyphens=False)
        return "\n".join(indent + line for line in lines)


def row_of(row, width):
    """An indented line as a list of lines; if it is too long and has two columns, the second one is wrapped."""
    match = TABLE.fullmatch(row)
    if len(row) <= width or not match:
        return [row]
    left, right = match[1], match[2]
    if len(left) > width // 2:
        return [left.rstrip(), *textwrap.wrap(right, width, initial_indent=" " * 6, subsequent_indent=" " * 6)]
    return textwrap.wrap(right, width, initial_indent=left, subsequent_indent=" " * len(left), break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """Report a wrong argument in one line: what is wrong, what may have been meant, and which help to read."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **{**kwargs, "formatter_class": Help})

    def parse_known_args(self, args=None, namespace=None):
        """As in argparse, but each command reports its own unknown arguments.

        `options` of the parsed namespace: the name of a value in Python -> its option.
        """
        namespace, extras = super().parse_known_args(args, namespace)
        if self._subparsers is None:
            namespace.options = {a.dest: name for a in self._actions for name in a.option_strings if name[:2] == "--"}
            if extras:
                self.error(self.too_much(namespace, extras))
        return namespace, extras

    def too_much(self, namespace, extras):
        """The message about superfluous arguments."""
        for word in extras:
            if word.startswith("-"):
                known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
                guess = meant(word.partition("=")[0], known)
                return f"there is no option {word}{guess or self.dash()}"
        takes_text = next((action for action in self._get_positional_actions() if action.metavar in TEXTS), None)
        if takes_text is None:
            return f"{extras[0]!r} is one argument too many"  # the command takes no text
        text = " ".join([str(getattr(namespace, takes_text.dest)), *extras])
        return f"{extras[0]!r} is one word too many: put a text in quotation marks, as in {self.prog} {quoted(text)}"

    def dash(self):
        """The advice on a text that looks like an option, if the command takes a text."""
        has_text = any(action.metavar in TEXTS for action in self._get_positional_actions())
        return "; put -- before a text that begins with a dash" if has_text else ""

    def error(self, message):
        match = CHOICE.fullmatch(message)
        if match:
            choices = re.findall(r"[^\s,']+", match[4])
            word = match[2] if match[2] is not None else match[3]
            guess = meant(word, choices) or f": choose from {', '.join(choices)}"
            is_command = match[1] == "COMMAND" or "|" in match[1]
            message = f"there is no command {word!r}{guess}" if is_command else f"{match[1]} cannot be {word!r}{guess}"
        self.exit(STATUS_USER_ERROR, f"numgpt: {shorten(message, LONGEST - 100)}; see {self.prog} --help\n")


def with_options(message, options):
    """The message with Python's names replaced by options: top_k must be ... -> --top-k must be ..."""
    for name, option in options.items():
        place = (
            rf"(?<![\w/.'\"-]){name}(?![\w/.'\"-])"
            if "_" in name
            else rf"^{name}(?= must be )|(?<= another ){name}(?=, )"
        )
        message = re.sub(place, option, message)
    return message


def meant(word, known):
    """ ": did you mean ...?" if a known word is close to `word`, else an empty text."""
    bare = {name.lstrip("-"): name for name in known}
    close = difflib.get_close_matches(word.lower().lstrip("-"), bare, n=1, cutoff=0.7)
    return f": did you mean {bare[close[0]]}?" if close else ""


def quoted(text):
    """A text as one word of a command line, in double quotes if every shell reads them in the same way."""
    return f'"{text}"' if not re.search(r'["$`\\!]', text) else shlex.quote(text)
