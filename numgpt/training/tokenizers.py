"""Which tokenizer a run learns with, and whether a checkpoint can hold it."""

import tempfile

from numgpt.errors import InputError
from numgpt.loading import read_vocabulary
from numgpt.tokenizer import CharTokenizer, WordTokenizer, load_tokenizer, no_vocabulary
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.tokenizer.trainer import train_bpe

BETWEEN = "\n"  # two texts, so that no word is made of the end of one and the beginning of the other


def choose_tokenizer(source, settings, progress=None):
    """The tokenizer that settings.tokenizer asks for, made of the text of `source`, a Source, where it has to be made.

    bpe learns its merges from the part to train on alone; char and word take every character or word of the whole text,
    so that the held-out text can be spelt. Anything else is the name of a model, or a folder, with vocabulary files.
    progress(done, total) is called as bpe learns. For a source of tokens nothing can be learnt: then None. Raises
    InputError for a name or folder without a tokenizer.
    """
    kind = settings.tokenizer
    if kind not in ("char", "word", "bpe"):
        tokenizer = read_vocabulary(kind, False, load_tokenizer)
        if tokenizer is None:
            raise InputError(no_vocabulary(f"--tokenizer {kind}"))
        return tokenizer
    return None if source.documents is None else learn(kind, source, settings, progress)


def learn(kind, source, settings, progress):
    """A tokenizer made of the texts."""
    if kind == "char":
        return CharTokenizer.from_text("".join(source.texts))
    if kind == "word":
        return WordTokenizer.from_text(BETWEEN.join(source.texts))
    documents, _ = source.split(settings.val_fraction)
    text = BETWEEN.join(part for document in documents for part in (document.prompt, document.text) if part)
    if settings.end_of_text == "token":
        text = text.replace(END_OF_TEXT, "\n")  # no merge is learnt of what is one token already
    return train_bpe(text, settings.vocab_size, progress)


def encoder(tokenizer, settings):
    """From text to ids; <|endoftext|> is its token where the tokenizer has one and settings.end_of_text says so."""
    if tokenizer.end_of_text is None or settings.end_of_text == "text":
        return tokenizer.encode
    return lambda text: tokenizer.encode(text, allowed_special={END_OF_TEXT})


def say_end_of_text(source, tokenizer, settings):
    """A line on what <|endoftext|> is taken for, None where the text has none."""
    n = sum(text.count(END_OF_TEXT) for text in source.texts)
    if not n:
        return None
    found = f"{END_OF_TEXT} stands in the text {n:,} times and is"
    if tokenizer.end_of_text is None:
        return f"{found} read as text: this tokenizer has no token for it."
    if settings.end_of_text == "text":
        return f"{found} read as text, as --end-of-text text says."
    what = (
        "its token, also within a line"
        if all(file.is_lines for file in source.files)
        else "the token that ends a document"
    )
    return f"{found} {what}; --end-of-text text would read it as text."


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
