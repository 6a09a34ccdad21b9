"""Which tokenizer a run learns with, and whether a checkpoint can hold it."""

import tempfile

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


def check_kept(tokenizer, folder):
    """Raise InputError unless `tokenizer` is what is read back where it was saved, in a folder within `folder`.

    A run is only begun with one that is: days later, none of its checkpoints could be read.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        tokenizer.save(place)
        try:
            kept = load_tokenizer(place)
        except InputError as error:
            reason = str(error).replace(place, "what was saved")
            raise InputError(
                f"the tokenizer cannot be kept with the run, as it could not be read again: {reason}"
            ) from None
        if kept is None or tokens(kept) != tokens(tokenizer):
            raise InputError("the tokenizer cannot be kept with the run: read again, it has other tokens")


def tokens(tokenizer):
    """Everything that ids can mean: the bytes of each, in order, and which one ends a text."""
    return [tokenizer.decode_bytes([i]) for i in range(tokenizer.n_vocab)], tokenizer.end_of_text
