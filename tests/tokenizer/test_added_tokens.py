"""Added tokens: in whichever files they stand, the ids are those that transformers gives; and they outlive a save."""

import json
import shutil

import pytest

from numgpt.errors import InputError
from numgpt.tokenizer import BPETokenizer, load_tokenizer
from numgpt.tokenizer.added import AddedToken, read_as_text, split

START, PERSON = {"<|startoftext|>": 384}, {"<|startoftext|>": 384, "PersonA": 385}
TEXTS = ["<|startoftext|>Alice <|endoftext|>", "hi PersonA PersonAB x", " <pad> a <mask>  b", "<|startoftext|>"]
PLAIN_FLAGS = {"lstrip": False, "rstrip": False, "normalized": True, "single_word": False}

# Files beside vocab.json and merges.txt (with "tokenizer" the golden's tokenizer.json too), and what they add.
FOLDERS = {
    "added_tokens.json": ({"added_tokens": PERSON}, PERSON),
    "with special_tokens_map.json": (
        {"added_tokens": PERSON, "special_tokens_map": {"bos_token": "<|startoftext|>", "pad_token": "<pad>"}},
        PERSON | {"<pad>": 386},
    ),
    "beside tokenizer.json": (
        {"tokenizer": None, "added_tokens": PERSON, "special_tokens_map": {"bos_token": "<|startoftext|>"}},
        PERSON,
    ),
    "special_tokens_map.json alone": (
        {
            "special_tokens_map": {
                "pad_token": {"content": "<pad>", **PLAIN_FLAGS, "lstrip": True},
                "bos_token": "<|startoftext|>",
                "additional_special_tokens": ["<mask>"],
            }
        },
        START | {"<pad>": 385, "<mask>": 386},
    ),
    "tokenizer_config.json": (
        {
            "tokenizer_config": {
                "tokenizer_class": "GPT2Tokenizer",
                "bos_token": "<|startoftext|>",
                "added_tokens_decoder": {
                    "0": {"content": "<|endoftext|>", "special": True, **PLAIN_FLAGS},
                    "384": {"content": "<|startoftext|>", "special": True, **PLAIN_FLAGS},
                    "385": {"content": "PersonA", "special": False, **PLAIN_FLAGS},
                    "386": {"content": "<mask>", "special": True, **PLAIN_FLAGS, "lstrip": True, "rstrip": True},
                },
            },
            "added_tokens": {"not looked at": 999},
        },
        PERSON | {"<mask>": 386},
    ),
    "tokenizer_config.json beside tokenizer.json": (
        {
            "tokenizer": None,
            "tokenizer_config": {"added_tokens_decoder": {"384": {"content": "<|startoftext|>", "special": True}}},
        },
        START,
    ),
    "an older tokenizer_config.json": (
        {"tokenizer_config": {"bos_token": {"__type": "AddedToken", "content": "<|startoftext|>", **PLAIN_FLAGS}}},
        START,
    ),
    "lists of tokens": (
        {"tokenizer_config": {"pad_token": "<pad>", "additional_special_tokens": ["PersonA"]}},
        {"<pad>": 384, "PersonA": 385},
    ),
}


@pytest.fixture(params=FOLDERS)
def case(request, small_folder, tmp_path):
    """(a folder, the tokens that were added to the golden's and their ids)."""
    files, added = FOLDERS[request.param]
    for name in "vocab.json", "merges.txt", *(["tokenizer.json"] if "tokenizer" in files else []):
        shutil.copy(small_folder / name, tmp_path)
    for name, content in files.items():
        if content is not None:
            (tmp_path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    return tmp_path, added


@pytest.fixture
def added(small):
    """The golden's tokenizer with three more tokens."""
    tokens = [*small.tokens, b"PersonA", b"<|startoftext|>", b"<mask>"]
    settings = AddedToken("PersonA", special=False, normalized=True), AddedToken("<mask>", lstrip=True)
    return BPETokenizer(
        tokens, small.merges, {**small.special, "PersonA": 384, "<|startoftext|>": 385, "<mask>": 386}, settings
    )


def test_each_becomes_its_id(case, small):
    folder, added = case
    tokenizer = load_tokenizer(folder)
    assert tokenizer.special == {"<|endoftext|>": 0} | added
    assert tokenizer.n_vocab == small.n_vocab + len(added)
    for text, i in added.items():
        assert tokenizer.encode(f"to{text}be", "all") == [*small.encode("to"), i, *small.encode("be")]


def test_the_ids_are_those_of_transformers(case):
    transformers = pytest.importorskip("transformers")
    folder, _ = case
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    theirs, ours = transformers.AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    assert len(theirs) == ours.n_vocab
    for text in TEXTS:
        assert ours.encode(text, "all") == theirs.encode(text), text


def test_special_ones_have_to_be_allowed_and_others_not(added, small):
    plain = small.encode("<|startoftext|>")
    assert added.encode("<|startoftext|>PersonA") == [*plain, 384]
    assert added.encode("<|startoftext|>PersonA", {"<|startoftext|>"}) == [385, 384]


def test_which_are_read_as_text(added, small, tmp_path):
    text = "<|startoftext|> PersonA <mask> <|endoftext"
    assert read_as_text(added, text) == ["<|startoftext|>", "<mask>"]
    assert read_as_text(added, text, {"<mask>"}) == ["<|startoftext|>"]
    assert read_as_text(added, text, "all") == []
    assert read_as_text(small, "<|endoftext|>") == ["<|endoftext|>"]
    (tmp_path / "chars.json").write_text('{"a": 0}')
    assert read_as_text(load_tokenizer(tmp_path), "a<|endoftext|>") == []


@pytest.mark.parametrize(
    ("tokens", "parts"),
    [
        ([AddedToken("b c")], ["a  ", "b c", "  bc d"]),
        ([AddedToken("b c", lstrip=True)], ["a", "  b c", "  bc d"]),
        ([AddedToken("b c", rstrip=True)], ["a  ", "b c  ", "bc d"]),
        ([AddedToken("b"), AddedToken("b c")], ["a  ", "b c", "  ", "b", "c d"]),
        ([AddedToken("c", single_word=True)], ["a  b ", "c", "  bc d"]),
        ([AddedToken("c"), AddedToken("b c", normalized=True)], ["a  b ", "c", "  b", "c", " d"]),
        ([AddedToken("a", rstrip=True), AddedToken("b", lstrip=True)], ["a  ", "b", " c", "  b", "c d"]),
        ([], ["a  b c  bc d"]),
    ],
)
def test_where_they_are_found(tokens, parts):
    found = [(part, token) for part, token in split("a  b c  bc d", tokens) if part]
    assert [part for part, _ in found] == parts
    assert all(token is None or part.strip() == token.text for part, token in found)


def test_they_outlive_a_save(added, tmp_path):
    added.save(tmp_path)
    for without in (), ("tokenizer.json",), ("encoder.json", "vocab.bpe"):
        for name in without:
            (tmp_path / name).unlink()
        loaded = load_tokenizer(tmp_path)
        assert (loaded.tokens, loaded.special, loaded.added) == (added.tokens, added.special, added.added)


def test_transformers_reads_what_was_saved(added, small, tmp_path):
    transformers = pytest.importorskip("transformers")
    shift = {(a - 1, b - 1): i - 1 for (a, b), i in small.merges.items()}
    for n, ours in enumerate([added, small, BPETokenizer(small.tokens[1:], shift)]):
        folder = tmp_path / str(n)
        folder.mkdir()
        ours.save(folder)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        assert (len(theirs), theirs.eos_token_id) == (ours.n_vocab, ours.end_of_text)
        for text in TEXTS:
            assert ours.encode(text, "all") == theirs.encode(text), text


def test_without_those_that_have_no_row(added, small):
    fewer = added.without_added(385)
    assert fewer.special == {"<|endoftext|>": 0, "PersonA": 384}
    assert fewer.encode("PersonA<mask>", "all") == [384, *small.encode("<mask>")]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("added_tokens", {"PersonA": 7}, "same id 7"),
        ("added_tokens", {"PersonA": "384"}, "the id of 'PersonA' is '384'"),
        ("added_tokens", {"<|endoftext|>": 3}, "has the id 0 in vocab and 3 in added_tokens"),
        ("added_tokens", {"": 384}, "must have an id and a content"),
        ("tokenizer_config", {"added_tokens_decoder": {"384": "PersonA"}}, "must have an id and a content"),
        ("tokenizer_config", {"added_tokens_decoder": {"x": {"content": "PersonA"}}}, "the id of 'PersonA' is 'x'"),
        ("tokenizer_config", {"add_prefix_space": True}, "add_prefix_space is set"),
    ],
)
def test_files_that_do_not_fit(small_folder, tmp_path, file, content, reason):
    for name in "vocab.json", "merges.txt":
        shutil.copy(small_folder / name, tmp_path)
    (tmp_path / f"{file}.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match=reason) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\n\n\n", "\r\n\r\n"])
def test_line_ends_and_byte_order_marks(small, small_folder, tmp_path, ending):
    merges = (small_folder / "merges.txt").read_text("utf-8").rstrip("\n")
    line_end = "\r\n" if "\r" in ending else "\n"
    (tmp_path / "merges.txt").write_bytes(("\ufeff" + merges.replace("\n", line_end) + ending).encode())
    for name in "vocab", "tokenizer":
        text = (small_folder / f"{name}.json").read_text("utf-8")
        (tmp_path / f"{name}.json").write_bytes(("\ufeff" + text + ending).encode())
    for _ in range(2):
        assert load_tokenizer(tmp_path).merges == small.merges
        (tmp_path / "tokenizer.json").unlink(missing_ok=True)
