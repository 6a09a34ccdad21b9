"""LAMBADA by word, with a filter: the model writes three tokens, no stop words, whose first word must be the right one.

The protocol is that of cybertronai/bflm (eval_lambada_slow.py), which tries to match that of GPT-2's paper. Words end
at whitespace and at punctuation marks, each of which is a word by itself; case and accents are ignored.
"""

import unicodedata
from functools import lru_cache
from itertools import takewhile

from numgpt.errors import InputError
from numgpt.evaluation import figures, lambada
from numgpt.evaluation.lines import numbered_lines
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import Window
from numgpt.files import quoted
from numgpt.generation import generate

N_TOKENS = 3  # to write
NEVER = -1e9  # nats: added to a stop word's logit
STOP_WORDS = """
a about above after again against all am an and any are as at be because been before being below between both but by
can did do does doing don down during each few for from further had has have having he her here hers herself him
himself his how i if in into is it its itself just me more most my myself no nor not now of off on once only or other
our ours ourselves out over own s same she should so some such t than that the their theirs them themselves then there
these they this those through to too under until up very was we were what when where which while who whom why will
with you your yours yourself yourselves
"""


def passages(text, name):
    """(where, passage) of every line: OpenAI's JSON, or the original LAMBADA's plain text, one passage per line."""
    if text.lstrip().startswith("{"):
        return lambada.passages(text, name)
    return ((f"{name}, line {number}", line) for number, line in numbered_lines(text))


def units(text, name, tokenizer, n_ctx):
    """(Units, {}): the ids of the passage without its last word, which is about["word"], cut on the left to fit."""
    found, room = [], n_ctx - N_TOKENS + 1
    if room < 1:
        raise InputError(f"a context of {n_ctx} tokens leaves no room to write {N_TOKENS}")
    for where, passage in passages(text, name):
        context, word = without_last_word(passage)
        if not context:
            raise InputError(f"{where}: a passage needs a last word and one before it, but this is {quoted(passage)}")
        ids = list(tokenizer.encode(context))
        found.append(Unit([Window(ids[-room:], 0)], {"word": plain(word), "cut": max(0, len(ids) - room)}))
    return found, {}


def without_last_word(passage):
    """(what is before the last word, the last word)."""
    passage = passage.strip()
    word = first_word(passage[::-1])[::-1]
    return passage[: len(passage) - len(word)].strip(), word


def first_word(text):
    """The first word of a text: a punctuation mark, or everything up to the next mark or whitespace."""
    text = text.lstrip()
    return text[:1] if is_mark(text[:1]) else "".join(takewhile(lambda c: not c.isspace() and not is_mark(c), text))


def is_mark(character):
    """Whether a character is punctuation: by Unicode, or one of ASCII's symbols."""
    symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return bool(character) and (symbol or unicodedata.category(character).startswith("P"))


def plain(word):
    """A word in lower case, without accents."""
    letters = unicodedata.normalize("NFD", word.lower())
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn")


def score(model, tokenizer, units, batch_size):
    """The record of each Unit."""
    records = [None] * len(units)
    by_length = sorted(range(len(units)), key=lambda i: len(units[i].windows[0].ids))
    for first in range(0, len(units), batch_size):
        batch = by_length[first : first + batch_size]
        prompts = [units[i].windows[0].ids for i in batch]
        rows = generate(model, prompts, N_TOKENS, temperature=0, logit_bias=stop_tokens(tokenizer))
        for i, row, prompt in zip(batch, rows, prompts, strict=True):
            word = plain(first_word(tokenizer.decode(row[len(prompt) :])))
            about = units[i].about
            records[i] = {"word": word, "right": word == about["word"], "cut": about["cut"]}
    return records


@lru_cache(maxsize=1)
def stop_tokens(tokenizer):
    """{id: NEVER} for each token that is a stop word."""
    words = set(STOP_WORDS.split())
    texts = enumerate(tokenizer.decode([token]) for token in range(tokenizer.n_vocab))
    return {token: NEVER for token, text in texts if text.strip() in words}


def reduce(records, totals):
    """The share of passages whose last word the model wrote."""
    found = figures.accuracy("accuracy", [record["right"] for record in records])
    return {**found, "stderr": found["accuracy_stderr"], "stderr_of": "accuracy", **figures.cuts(records)}
