"""Which tokenizer a run learns with."""

from pathlib import Path

from numgpt.errors import InputError
from numgpt.tokenizer import load_tokenizer


def choose_tokenizer(source, settings, progress=None):
    """The tokenizer that settings.tokenizer asks for, made of the text of `source`, a Source, where it has to be made.

    bpe learns its merges from the part to train on alone; char and word take every character or word of the whole text,
    so that the held-out text can be spelt. progress(done, total) is called as bpe learns. For a source of tokens
    only "gpt2" and a folder are of use, and without either the tokenizer is None. Raises InputError.
    """
    kind = settings.tokenizer
    if kind in ("char", "word", "bpe"):
        if source.tokens is not None:
            return None
        return learn(kind, source, settings, progress)
    folder = gpt2_folder() if kind == "gpt2" else Path(kind)
    if not folder.is_dir():
        raise InputError(f"--tokenizer {kind}: neither char, word, bpe, gpt2 nor a folder")
    tokenizer = load_tokenizer(folder)
    if tokenizer is None:
        raise InputError(f"--tokenizer {kind}: there are no vocabulary files in it")
    return tokenizer


def learn(kind, source, settings, progress):
    """A tokenizer made of the text."""
    if kind == "char":
        from numgpt.tokenizer import CharTokenizer

        return CharTokenizer.from_text(source.text)
    if kind == "word":
        from numgpt.tokenizer import WordTokenizer

        return WordTokenizer.from_text(source.text)
    from numgpt.tokenizer.trainer import train_bpe

    text, _ = source.split(settings.val_fraction)
    return train_bpe(text, settings.vocab_size, progress)


def gpt2_folder():
    """A folder with GPT-2's vocabulary: that of a published model, downloaded if need be."""
    from numgpt.checkpoint import hub

    sizes = "124M", "355M", "774M", "1558M"
    return next((folder for size in sizes if (folder := hub.find(size))), None) or hub.download("124M")
