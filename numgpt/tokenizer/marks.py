"""A vocabulary for translation: one for both texts, whose ids 0, 1 and 2 are marks, not text.

First come the marks that numgpt.model.transformer calls PAD, BEGIN and END, then the 256 bytes, then what merges make.
"""

from numgpt.errors import InputError
from numgpt.numbers import check_number
from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.trainer import train_bpe

MARKS = ("<|padding|>", "<|begin|>", "<|end|>")  # in the order of their ids


def train_bpe_with_marks(text, vocab_size, progress=None):
    """A BPETokenizer of at most `vocab_size` tokens, MARKS first, with merges learnt from `text` as `train_bpe` does.

    Raises InputError for a size below 259.
    """
    note = "the 256 bytes and three marks"
    vocab_size = check_number(vocab_size, "the size of a vocabulary", whole=True, low=256 + len(MARKS), note=note)
    learnt = train_bpe(text, vocab_size - len(MARKS) + 1, progress)
    n = len(MARKS)
    tokens = [*(mark.encode() for mark in MARKS), *learnt.tokens[:-1]]  # without <|endoftext|>
    merges = {(left + n, right + n): made + n for (left, right), made in learnt.merges.items()}
    return BPETokenizer(tokens, merges, {mark: i for i, mark in enumerate(MARKS)})


def check_marks(tokenizer, where):
    """Raise InputError, beginning with `where`, unless the ids 0, 1 and 2 of `tokenizer` are marks."""
    marks = set(getattr(tokenizer, "special", {}).values())  # tables of characters and words have none
    if not marks.issuperset(range(len(MARKS))):
        raise InputError(f"{where}: the tokenizer's ids 0, 1 and 2 must be padding, begin and end marks: train again")
