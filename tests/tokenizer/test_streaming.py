"""Text from ids that come one at a time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.errors import InputError
from numgpt.tokenizer import load_tokenizer


@settings(max_examples=200, deadline=None)
@given(ids=st.lists(st.integers(0, 383)), text=st.text())
def test_streaming_gives_the_same_text(golden, ids, text):
    tokenizer = load_tokenizer(golden / "tokenizer")
    for whole in (ids, tokenizer.encode(text), tokenizer.encode(text)[1:-1]):
        stream = tokenizer.stream_decoder()
        assert "".join([*map(stream.push, whole), stream.flush()]) == tokenizer.decode(whole)


def test_streaming_holds_half_characters_back(small):
    ids = [small.tokens.index(bytes([byte])) for byte in "\U0001f600\xe9".encode()]
    stream = small.stream_decoder()
    assert [stream.push(i) for i in ids] == ["", "", "", "\U0001f600", "", "\xe9"]
    assert stream.flush() == ""
    assert [stream.push(ids[0]), stream.flush(), stream.push(ids[4]), stream.push(ids[5])] == ["", "\ufffd", "", "\xe9"]
    with pytest.raises(InputError):
        stream.push(384)
