import pytest

from numgpt.tokenizer import load_tokenizer


@pytest.fixture(scope="session")
def small_folder(golden):
    """A vocabulary of 384 tokens in all its forms; Hugging Face's tokenizers learned it."""
    return golden / "tokenizer"


@pytest.fixture
def small(small_folder):
    return load_tokenizer(small_folder)


@pytest.fixture(scope="session")
def gpt2(shared):
    return load_tokenizer(shared / "gpt2")
