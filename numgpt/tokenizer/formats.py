"""The files in which a byte-level BPE is stored: OpenAI's two, and those of Hugging Face's libraries."""

import json
from dataclasses import asdict

from numgpt.tokenizer.symbols import to_symbols


def format_files(tokenizer):
    """Name -> bytes of every file of a BPETokenizer."""
    vocabulary, merges = format_vocabulary(tokenizer.tokens, tokenizer.special), format_merges(tokenizer)
    return {
        "encoder.json": vocabulary,
        "vocab.bpe": merges,
        "vocab.json": vocabulary,
        "merges.txt": merges,
        "tokenizer.json": _format_tokenizer_json(tokenizer),
        "tokenizer_config.json": _format_settings(tokenizer),
    }


def format_vocabulary(tokens, special):
    """The bytes of an encoder.json: {symbols: id}, special tokens as they are."""
    return json.dumps(_vocabulary(tokens, special)).encode()


def format_merges(tokenizer):
    """The bytes of a vocab.bpe: a line for each merge, left and right, after a line with the version."""
    return "".join(["#version: 0.2\n", *(f"{merge}\n" for merge in _merges(tokenizer))]).encode()


def _vocabulary(tokens, special):
    names = {i: text for text, i in special.items()}
    return {names.get(i) or to_symbols(token): i for i, token in enumerate(tokens)}


def _merges(tokenizer):
    symbols = [to_symbols(token) for token in tokenizer.tokens]
    return [f"{symbols[left]} {symbols[right]}" for left, right in tokenizer.merges]


def _format_tokenizer_json(tokenizer):
    """The bytes of a tokenizer.json, which is all that Hugging Face's tokenizers need."""
    spaces = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, **fields} for i, fields in _added(tokenizer).items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", **spaces},
        "post_processor": {"type": "ByteLevel", **spaces, "trim_offsets": False},
        "decoder": {"type": "ByteLevel", **spaces},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": _vocabulary(tokenizer.tokens, tokenizer.special),
            "merges": _merges(tokenizer),
        },
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _format_settings(tokenizer):
    """The bytes of a tokenizer_config.json; a GPT-2 class would add <|endoftext|> where it is not a token."""
    end = next((text for text, i in tokenizer.special.items() if i == tokenizer.end_of_text), None)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": _added(tokenizer),
        **({} if end is None else dict.fromkeys(("bos_token", "eos_token", "unk_token"), end)),
    }
    return json.dumps(settings, ensure_ascii=False, indent=2).encode()


def _added(tokenizer):
    """Id -> the entry of an added token in Hugging Face's files, in the order of the ids."""
    found = {tokenizer.special[text]: asdict(token) for text, token in tokenizer.added.items()}
    return {i: {"content": fields.pop("text"), **fields} for i, fields in sorted(found.items())}
