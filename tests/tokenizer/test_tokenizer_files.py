"""Vocabulary files: every form read, what was saved read back, and a reason given for what cannot be used."""

import hashlib
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numgpt.errors import InputError
from numgpt.tokenizer import BPETokenizer, load_tokenizer
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE, to_bytes, to_symbols

TEXT = "Alice was sitting by her sister's daisy-chain \u2014 1865 \U0001f600\n\n  \u00a0."
PUBLISHED_TOKENIZER_JSON = "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6"
SETTINGS = "tokenizer_config.json"
PAIRS = [("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")]


@pytest.fixture
def pair(small_folder, tmp_path):
    """A folder with vocab.json and merges.txt, which a test may damage."""
    for name in PAIRS[1]:
        shutil.copy(small_folder / name, tmp_path)
    return tmp_path


@pytest.fixture
def single(small_folder, tmp_path):
    """A folder with a tokenizer.json, and a function that changes it."""
    content = json.loads((small_folder / "tokenizer.json").read_text("utf-8"))

    def change(edit=lambda content: None):
        edit(content)
        (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
        return tmp_path

    return change


def edit_vocabulary(folder, edit):
    path = folder / "vocab.json"
    vocabulary = json.loads(path.read_text("utf-8"))
    edit(vocabulary)
    path.write_text(json.dumps(vocabulary), "utf-8")


def edit_merges(folder, edit):
    path = folder / "merges.txt"
    lines = path.read_text("utf-8").split("\n")
    edit(lines)
    path.write_bytes("\n".join(lines).encode())


def refusal(folder):
    """The message of the InputError, which has to be one line and to name a file of the folder."""
    with pytest.raises(InputError) as caught:
        load_tokenizer(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def same(tokenizer, other):
    return (
        tokenizer.tokens == other.tokens
        and list(tokenizer.merges.items()) == list(other.merges.items())
        and tokenizer.special == other.special
    )


def test_a_folder_without_vocabulary(tmp_path):
    assert load_tokenizer(tmp_path) is None
    assert load_tokenizer(str(tmp_path)) is None


@pytest.mark.parametrize("names", PAIRS)
def test_both_names_of_the_pair(names, small, small_folder, tmp_path):
    for name, source in zip(names, PAIRS[1], strict=True):
        shutil.copy(small_folder / source, tmp_path / name)
    assert same(load_tokenizer(tmp_path), small)


def test_tokenizer_json_says_the_same(small, single):
    assert same(load_tokenizer(single()), small)


def test_merges_as_strings(small, single):
    def join(content):
        content["model"]["merges"] = [" ".join(merge) for merge in content["model"]["merges"]]
        del content["model"]["type"]  # as in the tokenizer.json that was published with gpt2

    assert same(load_tokenizer(single(join)), small)


def test_added_tokens(small, single):
    def add(content):
        content["added_tokens"].append({"id": 384, "content": "<|pad|>", "special": True})
        content["added_tokens"].append({"id": 385, "content": "two words \u00e9", "special": False})

    tokenizer = load_tokenizer(single(add))
    assert tokenizer.n_vocab == 386
    assert tokenizer.special == {"<|endoftext|>": 0, "<|pad|>": 384, "two words \u00e9": 385}
    assert tokenizer.encode("<|pad|>two words \u00e9", allowed_special="all") == [384, 385]
    assert tokenizer.decode([384, 385]) == "<|pad|>two words \u00e9"
    assert tokenizer.encode(TEXT) == small.encode(TEXT)


def test_precedence(small_folder, tmp_path):
    """tokenizer.json before encoder.json before vocab.json: each next one is damaged, and not looked at."""
    shutil.copy(small_folder / "tokenizer.json", tmp_path)
    for name in PAIRS[0]:
        (tmp_path / name).write_text("damaged")
    assert load_tokenizer(tmp_path).n_vocab == 384
    (tmp_path / "tokenizer.json").unlink()
    for name, source in zip(PAIRS[0], PAIRS[1], strict=True):
        shutil.copy(small_folder / source, tmp_path / name)
    for name in PAIRS[1]:
        (tmp_path / name).write_text("damaged")
    assert load_tokenizer(tmp_path).n_vocab == 384
    for name in PAIRS[0]:
        (tmp_path / name).unlink()
    assert "vocab.json, line 1" in refusal(tmp_path)


def test_saved_files_are_the_published_ones(gpt2, shared, tmp_path):
    gpt2.save(tmp_path)
    for name in PAIRS[0]:
        assert (tmp_path / name).read_bytes() == (shared / "gpt2" / name).read_bytes()


def test_the_published_tokenizer_json(gpt2, shared, tmp_path):
    """Hugging Face's gpt2/tokenizer.json, rebuilt from OpenAI's files byte for byte."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": 50256, "special": True, "content": "<|endoftext|>", **flags}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "vocab": json.loads((shared / "gpt2" / "encoder.json").read_text("utf-8")),
            "merges": (shared / "gpt2" / "vocab.bpe").read_text("utf-8").split("\n")[1:-1],
        },
    }
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    assert hashlib.sha256(data).hexdigest() == PUBLISHED_TOKENIZER_JSON
    (tmp_path / "tokenizer.json").write_bytes(data)
    assert same(load_tokenizer(tmp_path), gpt2)


def test_what_was_saved_is_read_back(small, tmp_path):
    small.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*PAIRS[0], *PAIRS[1], "tokenizer.json", SETTINGS}
    assert same(load_tokenizer(tmp_path), small)
    (tmp_path / "tokenizer.json").unlink()
    assert same(load_tokenizer(tmp_path), small)


def test_special_tokens_are_saved_as_they_are(small, tmp_path):
    tokens = [*small.tokens, "<deux mots \u00e9>".encode()]
    BPETokenizer(tokens, small.merges, {**small.special, "<deux mots \u00e9>": 384}).save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.special == {"<|endoftext|>": 0, "<deux mots \u00e9>": 384}
    assert loaded.tokens == tokens


def test_files_that_an_editor_began_with_a_byte_order_mark(small, pair):
    for name in PAIRS[1]:
        (pair / name).write_bytes(b"\xef\xbb\xbf" + (pair / name).read_bytes())
    assert same(load_tokenizer(pair), small)


def test_a_merges_file_with_windows_lines_or_without_a_version(small, pair):
    path = pair / "merges.txt"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\n", b"\r\n"))
    assert same(load_tokenizer(pair), small)
    path.write_bytes(data.split(b"\n", 1)[1])
    assert same(load_tokenizer(pair), small)


@pytest.mark.parametrize("version", ["#version: 0.2\n", "#version: 0.2", ""])
def test_a_vocabulary_without_merges(version, tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({symbol: i for i, symbol in SYMBOL_OF_BYTE.items()}))
    (tmp_path / "merges.txt").write_text(version)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.encode("\u00e9a") == [0xC3, 0xA9, 0x61]
    assert tokenizer.end_of_text is None


@given(data=st.binary())
def test_symbols_spell_any_bytes(data):
    assert to_bytes(to_symbols(data)) == data
    assert not set(to_symbols(data)) & set(" \n\t\x85\xa0\xad")


@pytest.mark.parametrize("name", PAIRS[1])
def test_one_of_a_pair(name, pair):
    (pair / name).unlink()
    missing = refusal(pair)
    assert f"needs {name}: put that file beside it" in missing


@pytest.mark.parametrize("name", PAIRS[1])
def test_what_is_no_utf8(name, pair):
    data = (pair / name).read_bytes()
    (pair / name).write_bytes(data + b"\n\n\xff")
    line = data.count(b"\n") + 3
    assert f"{name}, line {line}: not UTF-8" in refusal(pair)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1, column 1: not usable JSON"),
        ('{"a": 0,\n "b": }', "line 2, column 7: not usable JSON"),
        ("[]", "found a list"),
        ("{}", "256 of the symbols"),
        ("[" * 100_000, "not usable JSON"),
        ('{"a": ' + "1" * 5000 + "}", "not usable JSON"),
        ('\ufeff{"a": 0}', "255 of the symbols"),
        ('{"a": 0, "b": 1, "a": 0}', "'a' occurs twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
    ],
)
def test_what_is_no_vocabulary(text, reason, pair):
    (pair / "vocab.json").write_text(text, "utf-8")
    assert reason in refusal(pair)


def renumber(token, i):
    return lambda vocabulary: vocabulary.update({token: i})


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (renumber("a", 384), "the id of 'a' is 384; 384 tokens must have the ids 0 to 383"),
        (renumber("a", -1), "the id of 'a' is -1"),
        (renumber("a", 1.0), "the id of 'a' is 1.0"),
        (renumber("a", True), "the id of 'a' is True"),
        (renumber("a", None), "the id of 'a' is None"),
        (renumber("a", {}), "the id of 'a' is {}"),
        (renumber("!", 2), "have the same id 2"),
        (lambda v: v.update({"<|new|>": 385}), "the id of '<|new|>' is 385; 385 tokens must have the ids 0 to 384"),
        (lambda v: v.update({"new": 384}), "no merge makes 'new'"),
        (lambda v: v.update({"<\ud800>": 384}), "lone surrogate"),
        (
            lambda v: v.update({"<|byte|>": v.pop("a")}),
            "1 of the symbols for the 256 bytes are missing, 'a' among them",
        ),
        (
            lambda v: v.update({"<|gone|>": v.pop("\u0120a")}),
            "'\u0120a', which the merge makes, is not in the vocabulary",
        ),
    ],
)
def test_damaged_vocabularies(edit, reason, pair):
    edit_vocabulary(pair, edit)
    assert reason in refusal(pair)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda lines: lines.insert(5, "abc"), "line 6: a merge is two symbols with one space"),
        (lambda lines: lines.insert(5, "a b c"), "line 6: a merge is two symbols with one space"),
        (lambda lines: lines.insert(5, "a  b"), "line 6: a merge is two symbols with one space"),
        (lambda lines: lines.insert(5, ""), "line 6: a merge is two symbols with one space"),
        (lambda lines: lines.insert(5, "a "), "line 6: '' is neither a byte's symbol nor made"),
        (lambda lines: lines.insert(5, "a\tb c"), "line 6: 'a\\tb' is neither a byte's symbol nor made"),
        (lambda lines: lines.insert(5, "zz z"), "line 6: 'zz' is neither a byte's symbol nor made by a merge above"),
        (lambda lines: lines.insert(5, "z z"), "line 6: 'zz', which the merge makes, is not in the vocabulary"),
        (lambda lines: lines.insert(5, lines[2]), "line 6: the same merge is at"),
        (lambda lines: lines.__delitem__(slice(100, None)), "no merge makes"),
        (lambda lines: lines.__delitem__(1), "is neither a byte's symbol nor made by a merge above"),
        (lambda lines: lines.reverse(), "line 2: "),
    ],
)
def test_damaged_merges(edit, reason, pair):
    edit_merges(pair, edit)
    assert reason in refusal(pair)


def test_files_of_different_tokenizers(pair, gpt2):
    shutil.copy(pair / "vocab.json", pair / "encoder.json")
    gpt2.save(pair / "..")
    shutil.copy(pair / ".." / "vocab.bpe", pair)
    assert "vocab.bpe, line 14: 'en', which the merge makes, is not" in refusal(pair)


def at(*keys, value):
    """A function that sets content[keys[0]][keys[1]]... to `value`."""

    def edit(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return edit


CUTTER = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (at("model", value=None), "there is no model in it"),
        (at("model", value={}), "the kind None"),
        (at("model", "type", value="Unigram"), "the kind 'Unigram'"),
        (at("model", "type", value="WordPiece"), "the kind 'WordPiece'"),
        (at("model", "type", value=[]), "the kind []"),
        (at("model", "vocab", value=[]), "must have a vocab"),
        (at("model", "merges", value=None), "must have a vocab, which is an object, and merges, a list"),
        (at("model", "merges", 3, value=7), "merge 4: a merge is two symbols, not 7"),
        (at("model", "merges", 3, value=["a", 1]), "merge 4: a merge is two symbols"),
        (at("model", "merges", 3, value=["a", "b", "c"]), "merge 4: a merge is two symbols"),
        (at("model", "merges", 3, value="a b c"), "merge 4: a merge is two symbols"),
        (at("model", "merges", 3, value="a  b"), "merge 4: a merge is two symbols"),
        (at("model", "merges", 3, value=[]), "merge 4: a merge is two symbols"),
        (at("model", "dropout", value=0.1), "dropout is 0.1"),
        (at("model", "end_of_word_suffix", value="</w>"), "end_of_word_suffix is '</w>'"),
        (at("model", "continuing_subword_prefix", value="##"), "continuing_subword_prefix is '##'"),
        (at("model", "byte_fallback", value=True), "byte_fallback is True"),
        (at("model", "ignore_merges", value=True), "ignore_merges is True"),
        (at("normalizer", value={"type": "NFC"}), "a normalizer"),
        (at("pre_tokenizer", value=None), "not ByteLevel"),
        (at("pre_tokenizer", value={"type": "Metaspace"}), "not ByteLevel"),
        (at("pre_tokenizer", value={"type": "Sequence", "pretokenizers": [CUTTER]}), "not ByteLevel"),
        (at("pre_tokenizer", "use_regex", value=False), "not ByteLevel"),
        (at("pre_tokenizer", "add_prefix_space", value=True), "add_prefix_space is set"),
        (at("added_tokens", 0, "id", value=3), "'<|endoftext|>' has the id 0 in vocab and 3 in added_tokens"),
        (at("added_tokens", 0, "content", value=""), "must have an id and a content"),
        (at("added_tokens", 0, value=None), "must have an id and a content"),
        (at("added_tokens", value=[{"id": 999, "content": "<|x|>"}]), "the id of '<|x|>' is 999"),
        (at("added_tokens", value=[{"content": "<|x|>"}]), "the id of '<|x|>' is None"),
    ],
)
def test_other_kinds_of_tokenizer_json(edit, reason, single):
    assert reason in refusal(single(edit))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_anywhere(golden, tmp_path_factory, data):
    """A changed byte or a cut is refused with a reason, or the files still fit together."""
    folder = tmp_path_factory.mktemp("damaged")
    names = data.draw(st.sampled_from([("vocab.json", "merges.txt"), ("tokenizer.json",)]))
    for name in names:
        shutil.copy(golden / "tokenizer" / name, folder)
    path = folder / data.draw(st.sampled_from(names))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] = data.draw(st.integers(0, 255))
    else:
        del content[place:]
    path.write_bytes(content)
    try:
        tokenizer = load_tokenizer(folder)
    except InputError:
        assert any(name in refusal(folder) for name in names)
    else:
        assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
