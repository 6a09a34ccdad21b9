"""From ids to the text that a reader sees while the model writes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from numgpt.errors import InputError


class Continuation:
    """What follows a prompt, token by token: its `ids`, their `logprobs` in nats, and its `text`.

    `likeliest` has, for each token, the likeliest tokens in its place that `push` was given.

    stop: a string or several; the text ends before the first that occurs. ends: ids at which it ends, not part of it.
    `stop_reason` then says why: "stop_string", "end_of_text", or "max_new_tokens" if no more came; it is None while the
    text continues. What `push` and `finish` return, joined, is the text. A piece never has half a character, and what
    could be the beginning of a stop string is held back until that is decided. Raises InputError for an empty stop
    string.
    """

    def __init__(self, tokenizer: Any, stop: str | Iterable[str] = (), ends: Collection[int] = ()) -> None:
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.likeliest: list[list[tuple[int, float]]] = []
        self.text = ""
        self.stop_reason: str | None = None
        self.stop = check_stop_strings(stop)
        self.ends = ends
        self._decoder = tokenizer.stream_decoder()
        self._held = ""

    @property
    def mean_logprob(self) -> float:
        """The mean of `logprobs`, by which texts of any lengths can be compared; 0 for no tokens."""
        return sum(self.logprobs) / max(1, len(self.logprobs))

    def push(self, token: int, logprob: float, likeliest: Sequence[tuple[int, float]] = ()) -> str:
        """Add a token, unless the text has ended; return the text that it makes certain, which may be empty."""
        if self.stop_reason is not None:
            return ""
        self.ids.append(token)
        self.logprobs.append(logprob)
        self.likeliest.append(list(likeliest))
        return self.finish("end_of_text") if token in self.ends else self._add(self._decoder.push(token))

    def finish(self, reason: str = "max_new_tokens") -> str:
        """End the text and return what was held back; an incomplete character is U+FFFD, as in `decode`."""
        if self.stop_reason is not None:
            return ""
        rest = self._add(self._decoder.flush(), last=True)
        self.stop_reason = self.stop_reason or reason
        return rest

    def _add(self, piece: str, last: bool = False) -> str:
        """The part of what was held and `piece` that comes before a stop string and cannot be the beginning of one."""
        text = self._held + piece
        found = [(text.index(stop) + len(stop), text.index(stop)) for stop in self.stop if stop in text]
        if found:
            _, end = min(found)  # the first to be complete, however the text is split into tokens
            self.stop_reason = "stop_string"
        else:
            end = len(text) if last else len(text) - max((overlap(text, stop) for stop in self.stop), default=0)
        self._held = text[end:]
        self.text += text[:end]
        return text[:end]


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the beginning of `stop`, without being all of it."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def check_stop_strings(stop: str | Iterable[str]) -> tuple[str, ...]:
    """`stop`, a string or several, as a tuple. Raises InputError for an empty one, which would stop everything."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for string in stops:
        if not isinstance(string, str) or not string:
            raise InputError(f"a stop string must be a text of at least one character, not {string!r}")
    return stops


def encode_prompt(tokenizer: Any, prompt: str, **options: Any) -> list[int]:
    """The ids of `prompt`; options are those of the tokenizer's `encode`. Raises InputError if there are none."""
    ids = tokenizer.encode(prompt, **options)
    if not ids:
        raise InputError("the prompt is empty: give some text for the model to continue")
    return ids
