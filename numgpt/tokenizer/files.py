"""From the vocabulary files in a folder to a tokenizer."""

from pathlib import Path

from numgpt.errors import InputError
from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.checks import check_text
from numgpt.tokenizer.json_file import read_object, read_text, read_vocabulary
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE, to_bytes

_ALPHABET = set(SYMBOL_OF_BYTE.values())

# What a tokenizer.json must say of its model, or nothing at all, to be GPT-2's.
_NEUTRAL = {
    "dropout": (None, 0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (False,),
    "ignore_merges": (False,),
}


def load_tokenizer(folder):
    """The tokenizer of the vocabulary files in a folder; None when there are none.

    Looked for in this order: encoder.json with vocab.bpe (OpenAI's names), vocab.json with merges.txt (Hugging
    Face's), tokenizer.json. Raises InputError for a file that is damaged, lacks its twin or belongs
    to another kind of tokenizer, naming the file and the line; OSError as the disk does.
    """
    folder = Path(folder)
    for vocabulary, merges in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        there = [(folder / name).exists() for name in (vocabulary, merges)]
        if all(there):
            return _load_pair(folder / vocabulary, folder / merges)
        if any(there):
            found, missing = (vocabulary, merges) if there[0] else (merges, vocabulary)
            raise InputError(f"{folder}: {found} is of no use without {missing}: fetch that too")
    if (folder / "tokenizer.json").exists():
        return _load_tokenizer_json(folder / "tokenizer.json")
    return None


def _load_pair(vocabulary_path, merges_path):
    lines = read_text(merges_path).replace("\r\n", "\n").rstrip("\n").split("\n")
    first = 2 if lines[0].startswith("#version") else 1
    pairs = [line.split(" ") for line in lines[first - 1 :]]
    if pairs == [[""]]:
        pairs = []
    vocabulary = read_object(vocabulary_path)
    return _build(vocabulary, pairs, {}, vocabulary_path, lambda n: f"{merges_path}, line {first + n}")


def _load_tokenizer_json(path):
    content = read_object(path)
    model = _check_kind(content, path)
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise InputError(f"{path}: the model has no list of merges")
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in merges]
    added = _added_tokens(content.get("added_tokens"), path)
    return _build(model.get("vocab"), pairs, added, path, lambda n: f"{path}, merge {n + 1}")


def _check_kind(content, path):
    """The model of a tokenizer.json; InputError unless the whole of it does what GPT-2's does."""
    model = content.get("model")
    if not isinstance(model, dict):
        raise InputError(f"{path}: there is no model in it: not a tokenizer of Hugging Face's")
    kind = model.get("type", "BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        raise InputError(f"{path}: a tokenizer of the kind {kind!r:.40}; numgpt reads byte-level BPE, as GPT-2 has it")
    for name, fine in _NEUTRAL.items():
        if name in model and model[name] not in fine:
            raise InputError(f"{path}: {name} is {model[name]!r:.40}, which GPT-2's byte-level BPE does not have")
    if content.get("normalizer") is not None:
        raise InputError(f"{path}: it has a normalizer, which GPT-2's byte-level BPE does not")
    cutter = content.get("pre_tokenizer")
    if not isinstance(cutter, dict) or cutter.get("type") != "ByteLevel" or not cutter.get("use_regex", True):
        raise InputError(f"{path}: the pre_tokenizer is not ByteLevel with GPT-2's pattern")
    if cutter.get("add_prefix_space"):
        raise InputError(f"{path}: add_prefix_space is set: it would add a space that GPT-2's tokenizer does not")
    return model


def _added_tokens(entries, path):
    """{text: id} of the added_tokens of a tokenizer.json."""
    added = {}
    for entry in entries if isinstance(entries, list) else []:
        text, i = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(text, str) or not text or type(i) is not int:
            raise InputError(f"{path}: each of the added_tokens must have an id and a content, not {entry!r:.60}")
        added[text] = i
    return added


def _build(vocabulary, pairs, added, path, where):
    """The tokenizer of {token: id}, merges as pairs of tokens, and added tokens {text: id}.

    path: the vocabulary's file. where: from the index of a merge to the place that an error names.
    """
    if isinstance(vocabulary, dict):
        for text, i in added.items():
            if vocabulary.setdefault(text, i) != i:
                raise InputError(
                    f"{path}: {text!r} has the id {i} among added_tokens, {vocabulary[text]!r} in the vocabulary"
                )
    tokens = read_vocabulary(vocabulary, path)
    missing = sorted(_ALPHABET - vocabulary.keys())
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of the 256 byte symbols are missing, {missing[0]!r} the first: "
            "not a byte-level vocabulary, or a damaged one"
        )
    known = _check_merges(vocabulary, pairs, where)
    special = _special_tokens(tokens, known, added, path)
    merges = [(vocabulary[left], vocabulary[right]) for left, right in pairs]
    return BPETokenizer([token.encode() if token in special else to_bytes(token) for token in tokens], merges, special)


def _check_merges(vocabulary, pairs, where):
    """The tokens that can come out of merging. InputError for a merge of or into what is not known by then."""
    known = set(_ALPHABET)
    seen = set()
    for n, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) and part for part in pair):
            raise InputError(
                f"{where(n)}: a merge is two symbols with one space between them, not {' '.join(map(str, pair))!r:.60}"
            )
        left, right = pair
        for part in pair:
            if part not in known:
                raise InputError(f"{where(n)}: {part!r} is neither a byte nor made by an earlier merge")
        whole = left + right
        if whole not in vocabulary:
            raise InputError(f"{where(n)}: the merge makes {whole!r}, which the vocabulary does not have")
        if (left, right) in seen:
            raise InputError(f"{where(n)}: the merge of {left!r} and {right!r} is there twice")
        known.add(whole)
        seen.add((left, right))
    return known


def _special_tokens(tokens, known, added, path):
    """{text: id} of the tokens that no merge makes: the added ones, and names such as <|endoftext|> or [PAD]."""
    special = {}
    for i, token in enumerate(tokens):
        if token not in known and token not in added and token[:1] + token[-1:] not in ("<>", "[]"):
            raise InputError(
                f"{path}: no merge makes {token!r}: the vocabulary and the merges are of different tokenizers, "
                "or the merges were cut short"
            )
        if token not in known or token in added:
            check_text(token)
            special[token] = i
    return special
