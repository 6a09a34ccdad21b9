"""Vocabularies with something wrong in one of their files: InputError, in one line, or a tokenizer that works."""

import random
import shutil

import pytest

from damage import CASES, answer, damage
from numgpt.errors import InputError
from numgpt.tokenizer import CharTokenizer, load_tokenizer
from numgpt.tokenizer.formats import format_files

TEXT = "To be, or not to be:\r\n<|endoftext|> \U0001f600 1234 ab\u0301"


@pytest.fixture(params=["tokenizer.json", "vocab.json merges.txt", "all", "char"])
def folder(request, small_folder, small, tmp_path):
    """A vocabulary in one of its forms, with an added token."""
    if request.param == "char":
        CharTokenizer(sorted(set(TEXT))).save(tmp_path)
    elif request.param == "all":
        for name, text in format_files(small).items():
            (tmp_path / name).write_bytes(text)
        (tmp_path / "added_tokens.json").write_text(f'{{"<extra>": {small.n_vocab}}}')
    else:
        for name in request.param.split():
            shutil.copy(small_folder / name, tmp_path)
    return tmp_path


def test_any_damage_is_an_input_error_or_a_tokenizer(folder):
    files = sorted(folder.iterdir())
    whole = {path: path.read_bytes() for path in files}
    rng, n_loaded = random.Random(4), 0
    for _ in range(CASES):
        path = rng.choice(files)
        if rng.random() < 0.05:
            path.unlink()
        else:
            path.write_bytes(damage(whole[path], rng))
        tokenizer = answer(lambda: load_tokenizer(folder))
        if tokenizer is not None:
            n_loaded += 1
            works(tokenizer)
        path.write_bytes(whole[path])
    assert n_loaded < CASES
    works(load_tokenizer(folder))


def works(tokenizer):
    """What it encodes it decodes to the same text; a character that it lacks is said so."""
    try:
        ids = tokenizer.encode(TEXT)
    except InputError:
        return
    assert all(0 <= i < tokenizer.n_vocab for i in ids)
    assert tokenizer.decode(ids) == TEXT
