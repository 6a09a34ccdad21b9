"""Which tokenizer a run uses, and whether a checkpoint can hold it."""

import tempfile

from numgpt.errors import InputError
from numgpt.loading import read_vocabulary
from numgpt.tokenizer import CharTokenizer, WordTokenizer, load_tokenizer, no_vocabulary
from numgpt.tokenizer.bpe import END_OF_TEXT
from numgpt.tokenizer.trainer import train_bpe

BETWEEN = "\n"  # put between two texts, so that no word spans both


def choose_tokenizer(source, settings, progress=None):
    """The tokenizer that settings.tokenizer asks for, built from the text of `source`, a Source, if need be.

    bpe learns its merges from the part to train on alone; char and word take every character or word of the whole text,
    so that the held-out text can be spelt. Anything else is the name of a model, or a folder, with vocabulary files.
    progress(done, total) is called as bpe learns. None if it would have to be learnt from tokens. Raises InputError for
    a name or folder without a tokenizer.
    """
    kind = settings.tokenizer
    if kind not in ("char", "word", "bpe"):
        tokenizer = read_vocabulary(kind, False, load_tokenizer)
        if tokenizer is None:
            raise InputError(no_vocabulary(f"--tokenizer {kind}"))
        return tokenizer
    return None if source.documents is None else learn(kind, source, settings, progress)


def learn(kind, source, settings, progress):
    """A tokenizer built from the texts."""
    if kind == "char":
        return CharTokenizer.from_text("".join(source.texts))
    if kind == "word":
        return WordTokenizer.from_text(BETWEEN.join(source.texts))
    documents, _ = source.split(settings.val_fraction)
    text = BETWEEN.join(part for document in documents for part in (document.prompt, document.text) if part)
    if settings.end_of_text == "token":
        text = text.replace(END_OF_TEXT, "\n")  # one token already: no merge is to be learnt from it
    return train_bpe(text, settings.vocab_size, progress)


def encoder(tokenizer, settings):
    """The function from text to ids; <|endoftext|> is a token if the tokenizer has it and settings.end_of_text allows
    it."""
    if tokenizer.end_of_text is None or settings.end_of_text == "text":
        return tokenizer.encode
    return lambda text: tokenizer.encode(text, allowed_special={END_OF_TEXT})


def say_end_of_text(source, tokenizer, settings):
    """A line on how <|endoftext|> is read, None if the text has none."""
    n = sum(text.count(END_OF_TEXT) for text in source.texts)
    if not n:
        return None
    found = f"{END_OF_TEXT} occurs {n:,} times in the text and is read"
    if tokenizer.end_of_text is None:
        return f"{found} as text: this tokenizer has no token for it."
    if settings.end_of_text == "text":
        return f"{found} as text, as --end-of-text text says."
    what = (
        "as its token, even within a line"
        if all(file.is_lines for file in source.files)
        else "as the token that ends a document"
    )
    return f"{found} {what}; --end-of-text text would read it as text."


def check_kept(tokenizer, folder):
    """Raise InputError unless `tokenizer`, saved in a folder within `folder`, is read back unchanged.

    Otherwise, days later, none of the run's checkpoints could be read.
    """
    with tempfile.TemporaryDirectory(dir=folder) as place:
        tokenizer.save(place)
        try:
            kept = load_tokenizer(place)
        except InputError as error:
            reason = str(error).replace(place, "what was saved")
            raise InputError(
                f"the tokenizer cannot be saved with the run, since it could not be read back: {reason}"
            ) from None
        if kept is None or tokens(kept) != tokens(tokenizer):
            raise InputError("the tokenizer cannot be saved with the run: read back, it has other tokens")


def tokens(tokenizer):
    """Everything that ids can mean: the bytes of each, in order, and which one ends a text."""
    return [tokenizer.decode_bytes([i]) for i in range(tokenizer.n_vocab)], tokenizer.end_of_text
