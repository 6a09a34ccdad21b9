"""Which tokenizer a run learns with."""

from numgpt.errors import InputError
from numgpt.loading import read_folder
from numgpt.tokenizer import CharTokenizer, WordTokenizer, load_tokenizer, no_vocabulary
from numgpt.tokenizer.trainer import train_bpe


def choose_tokenizer(source, settings, progress=None):
    """The tokenizer that settings.tokenizer asks for, made of the text of `source`, a Source, where it has to be made.

    bpe learns its merges from the part to train on alone; char and word take every character or word of the whole text,
    so that the held-out text can be spelt. Anything else is the name of a model, or a folder, with vocabulary files.
    progress(done, total) is called as bpe learns. For a source of tokens nothing can be learnt: then None. Raises
    InputError for a name or folder without a tokenizer.
    """
    kind = settings.tokenizer
    if kind not in ("char", "word", "bpe"):
        tokenizer = read_folder(kind, False, load_tokenizer)
        if tokenizer is None:
            raise InputError(no_vocabulary(f"--tokenizer {kind}"))
        return tokenizer
    return None if source.text is None else learn(kind, source, settings, progress)


def learn(kind, source, settings, progress):
    """A tokenizer made of the text."""
    if kind == "char":
        return CharTokenizer.from_text(source.text)
    if kind == "word":
        return WordTokenizer.from_text(source.text)
    text, _ = source.split(settings.val_fraction)
    return train_bpe(text, settings.vocab_size, progress)
