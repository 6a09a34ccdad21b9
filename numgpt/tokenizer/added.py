"""Tokens that were added to a vocabulary: texts that become one id before anything is cut or merged.

There are two kinds. Special tokens, such as <|endoftext|>, end documents or begin an answer; in a text from outside
they are plain text unless the caller allows them. The others are words that somebody wanted as one token, and always
are.
"""

import re
from dataclasses import dataclass

WORD, SPACES = re.compile(r"\w"), re.compile(r"\s*")


@dataclass(frozen=True)
class AddedToken:
    """One added token, with its settings in Hugging Face's files.

    special: whether it has to be allowed. single_word: whether it counts only where no word continues beside it.
    lstrip, rstrip: whether it includes the whitespace on that side. normalized: whether it is looked for only in what
    the others left.
    """

    text: str
    special: bool = True
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False


def split(text, tokens):
    """`text` as a list of (part, token), in order: an AddedToken of `tokens`, or None if the part is ordinary text.

    Of tokens that begin at the same place the longest counts; those that are not `normalized` go before the others.
    """
    parts = [(text, None)]
    for normalized in False, True:
        known = {token.text: token for token in tokens if token.normalized == normalized}
        if known:
            parts = [
                piece
                for part, token in parts
                for piece in (_split_once(part, known) if token is None else [(part, token)])
            ]
    return parts


def _split_once(text, known):
    pattern = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    parts, done = [], 0
    for match in re.finditer(pattern, text):
        token, (start, stop) = known[match[0]], match.span()
        if start < done or (token.single_word and _in_a_word(text, start, stop)):
            continue
        if token.lstrip:
            start = done + len(text[done:start].rstrip())
        if token.rstrip:
            stop = SPACES.match(text, stop).end()
        parts += [(text[done:start], None), (text[start:stop], token)]
        done = stop
    return [*parts, (text[done:], None)]


def _in_a_word(text, start, stop):
    return bool(WORD.match(text, stop) or (start and WORD.match(text, start - 1)))


def read_as_text(tokenizer, text, allowed_special=()):
    """The special tokens of `tokenizer`, a list of str, that occur in `text` but are read as ordinary text.

    allowed_special: as in `encode`.
    """
    added = getattr(tokenizer, "added", {})  # tables of characters and words have none
    allowed = added if isinstance(allowed_special, str) and allowed_special == "all" else allowed_special
    return [name for name, token in added.items() if token.special and name not in allowed and name in text]
