"""The same ids as tiktoken and Hugging Face's tokenizers, where they are installed."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numgpt.tokenizer.bpe import END_OF_TEXT

# tiktoken's own writing of GPT-2's pattern.
TIKTOKEN_PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""

TEXTS = st.text() | st.text(alphabet="aB1 '\n\t\u00a0st\u3000\U0001f600", max_size=40)
slow_machine = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def tiktoken_gpt2(gpt2):
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {token: i for i, token in enumerate(gpt2.tokens) if i != gpt2.end_of_text}
    return tiktoken.Encoding(
        "gpt2-from-files",
        pat_str=TIKTOKEN_PATTERN,
        mergeable_ranks=ranks,
        special_tokens={END_OF_TEXT: gpt2.end_of_text},
    )


@slow_machine
@given(text=TEXTS)
def test_tiktoken_encodes_the_same(gpt2, tiktoken_gpt2, text):
    assert gpt2.encode(text) == tiktoken_gpt2.encode_ordinary(text)


@slow_machine
@given(ids=st.lists(st.integers(0, 50256)))
def test_tiktoken_decodes_the_same(gpt2, tiktoken_gpt2, ids):
    assert gpt2.decode_bytes(ids) == tiktoken_gpt2.decode_bytes(ids)


@pytest.mark.parametrize("name", ["tinyshakespeare.txt", "wikitext-2-raw.test.txt", "lambada_test.jsonl"])
def test_whole_files(gpt2, tiktoken_gpt2, shared, name):
    text = (shared / "data" / name).read_text("utf-8")[:500_000]
    ids = gpt2.encode(text)
    assert ids == tiktoken_gpt2.encode_ordinary(text)
    assert gpt2.decode(np.array(ids)) == text


def test_hugging_face_encodes_the_same(small, small_folder):
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.Tokenizer.from_file(str(small_folder / "tokenizer.json"))

    @slow_machine
    @given(text=TEXTS)
    def check(text):
        assert small.encode(text) == theirs.encode(text, add_special_tokens=False).ids or END_OF_TEXT in text

    check()


def test_hugging_face_reads_what_was_saved(small, small_folder, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    small.save(tmp_path)
    model = tokenizers.models.BPE.from_file(str(tmp_path / "encoder.json"), str(tmp_path / "vocab.bpe"))
    theirs = tokenizers.Tokenizer(model)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    for case in json.loads((small_folder / "ids.json").read_text("utf-8")):
        assert theirs.encode(case["text"]).ids == case["ids"]
