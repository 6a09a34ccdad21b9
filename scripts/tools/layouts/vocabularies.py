"""Layouts of the vocabulary: which files it consists of, and where they name added tokens."""

import json

import torch
import transformers
from table import layout

import numgpt

# Vocabularies


def tokenized(write_files):
    def write(folder, source):
        source.write(folder, source.tensors())
        write_files(folder, source)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        text = "Alice <|endoftext|> was <|startoftext|> PersonA  \n\ntired"
        return source.model, lambda _, ours: ours.encode(text, "all") == theirs.encode(text)

    return write


@layout("vocab.json and merges.txt with byte order marks, Windows line endings and blank lines at the end")
def _(folder, source):
    source.write(folder, source.tensors())
    for name in "vocab.json", "merges.txt":
        text = (folder / name).read_bytes().rstrip(b"\n").replace(b"\n", b"\r\n")
        (folder / name).write_bytes(b"\xef\xbb\xbf" + text + b"\r\n\r\n\r\n")
    expected = transformers.AutoTokenizer.from_pretrained(source.vocabulary).encode("Alice  was")
    return source.model, lambda _, ours: ours.encode("Alice  was") == expected


@layout("tokenizer.json alone")
@tokenized
def _(folder, source):
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    for name in "vocab.json", "merges.txt", "tokenizer_config.json":
        (folder / name).unlink(missing_ok=True)


def add_two(folder, source):
    """Write the model with rows for two added tokens; return that model."""
    V = source.config.vocab_size
    tensors = source.tensors()
    tensors["transformer.wte.weight"] = torch.cat(
        [tensors["transformer.wte.weight"], torch.zeros(2, source.config.n_embd)]
    )
    source.write(folder, tensors, vocab_size=V + 2)
    model = source.changed(vocab_size=V + 2)
    model.transformer.load_state_dict({name.removeprefix("transformer."): value for name, value in tensors.items()})
    return model


def with_added(write_files):
    def write(folder, source):
        model = add_two(folder, source)
        write_files(folder, source.config.vocab_size)
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
        text = "Alice <|endoftext|> was <|startoftext|> PersonA  \n\ntired"
        ours = numgpt.tokenizer.load_tokenizer(folder).encode(text, "all")
        assert source.config.vocab_size in ours
        return model, lambda _, tokenizer: tokenizer.encode(text, "all") == theirs.encode(text)

    return write


@layout("added_tokens.json and special_tokens_map.json")
@with_added
def _(folder, V):
    (folder / "added_tokens.json").write_text(json.dumps({"<|startoftext|>": V, "PersonA": V + 1}))
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<|startoftext|>"}))


@layout("added tokens in tokenizer_config.json")
@with_added
def _(folder, V):
    tokens = {"<|startoftext|>": True, "PersonA": False}
    entries = {str(V + n): {"content": text, "special": tokens[text]} for n, text in enumerate(tokens)}
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": entries}))


@layout("as older transformers save it: vocab.json, merges.txt, added_tokens.json and a tokenizer.json, which is used")
@with_added
def _(folder, V):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"bos_token": "<|startoftext|>"})
    tokenizer.add_tokens(["PersonA"])
    tokenizer.save_pretrained(folder)
    (folder / "added_tokens.json").write_text(json.dumps({"<|startoftext|>": V, "PersonA": V + 1}))
