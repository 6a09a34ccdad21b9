"""From text to more text: what a reader sees while the model goes on."""

from numgpt.errors import InputError
from numgpt.generation.generate import steps


def stream_text(model, tokenizer, prompt, max_new_tokens=40, *, stop=(), stop_at_end_of_text=True, **settings):
    """Yield the text that follows `prompt`, a str, piece by piece as it is sampled; the prompt is not repeated.

    A piece is never half a character. `stop`: a string or several; the text ends before the first that comes, and what
    could be the beginning of one is held back until that is decided. stop_at_end_of_text: whether it ends at
    <|endoftext|>, which is not part of it. settings: the keywords of `numgpt.generate`, return_logprobs excepted.

    The pieces together are tokenizer.decode of the new ids, up to where the text ends. Raises InputError, at the call,
    as `numgpt.generate` does, for a prompt without a token and for an empty stop string.
    """
    ids = encode_prompt(tokenizer, prompt)
    text = TextStream(tokenizer, stop, tokenizer.end_of_text if stop_at_end_of_text else None)
    return _pieces(text, steps(model, [ids], max_new_tokens, **settings))


def _pieces(text, chosen):
    for tokens, _ in chosen:
        yield text.push(int(tokens[0]))
        if text.reason is not None:
            return
    yield text.finish()


class TextStream:
    """The text of one row of ids, which are pushed as they come; it ends before a `stop` string and at the id `end_id`.

    `reason` says why the text has ended: "end_of_text" or "stop_string"; None while it has not.
    """

    def __init__(self, tokenizer, stop=(), end_id=None):
        self.decoder = tokenizer.stream_decoder()
        self.stop = check_stop_strings(stop)
        self.end_id = end_id
        self.held = ""
        self.reason = None

    def push(self, token):
        """The text that the id `token` makes certain; may be empty."""
        if token == self.end_id:
            rest = self.finish()
            self.reason = self.reason or "end_of_text"
            return rest
        return self._release(self.decoder.push(token))

    def finish(self):
        """The text that was held back, as no more will come; an incomplete character is U+FFFD, as in `decode`."""
        piece = self._release(self.decoder.flush())
        rest, self.held = self.held, ""
        return piece + rest

    def _release(self, piece):
        """Of what is held and `piece`, all that comes before a stop string and cannot be the beginning of one."""
        text = self.held + piece
        found = [(text.index(stop) + len(stop), text.index(stop)) for stop in self.stop if stop in text]
        if found:
            _, begin = min(found)  # the one that is complete first, so that the split over tokens does not matter
            self.reason, self.held = "stop_string", ""
            return text[:begin]
        certain = len(text) - max((overlap(text, stop) for stop in self.stop), default=0)
        self.held = text[certain:]
        return text[:certain]


def overlap(text, stop):
    """How many characters at the end of `text` are the beginning of `stop`, without being all of it."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)


def check_stop_strings(stop):
    """`stop`, a string or several, as a tuple. Raises InputError for an empty one, which would stop everything."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for string in stops:
        if not isinstance(string, str) or not string:
            raise InputError(f"a stop string must be a text of at least one character, not {string!r}")
    return stops


def encode_prompt(tokenizer, prompt):
    """The ids of `prompt`. Raises InputError when there are none."""
    ids = tokenizer.encode(prompt)
    if not ids:
        raise InputError("the prompt is empty: give some text for the model to go on from")
    return ids
