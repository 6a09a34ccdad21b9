"""Hugging Face's tokenizer.json: vocabulary, merges, and how the text is treated before and after."""

from numgpt.errors import InputError
from numgpt.tokenizer.assemble import assemble
from numgpt.tokenizer.json_file import read_object

# What the model may say of these, if it says anything, to be GPT-2's.
_NEUTRAL = {
    "dropout": (None, 0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}


def load_tokenizer_json(path):
    """The BPETokenizer of a tokenizer.json. Raises InputError when it is damaged or does not do what GPT-2's does."""
    content = read_object(path)
    model = content.get("model")
    if not isinstance(model, dict):
        raise InputError(f"{path}: there is no model in it: not a tokenizer.json of Hugging Face's")
    _check_model(model, path)
    _check_surroundings(content, path)
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise InputError(f"{path}: the model must have a vocab, which is an object, and merges, which are a list")
    added = _add_tokens(vocabulary, content.get("added_tokens"), path)
    merges = (_pair(merge, n, path) for n, merge in enumerate(merges))
    return assemble(vocabulary, merges, path, lambda n: f"{path}, merge {n + 1}", added)


def _pair(merge, n, path):
    """Older files have "left right", newer ones ["left", "right"]."""
    if isinstance(merge, str):
        return merge.split(" ")
    if isinstance(merge, list) and all(isinstance(part, str) for part in merge):
        return merge
    raise InputError(f"{path}, merge {n + 1}: a merge is two symbols, not {merge!r:.60}")


def _check_model(model, path):
    kind = model.get("type", "BPE" if "merges" in model else None)
    if kind != "BPE":
        raise InputError(f"{path}: a tokenizer of the kind {kind!r:.40}; numgpt reads byte-level BPE, as GPT-2's is")
    for name, fine in _NEUTRAL.items():
        if model.get(name) not in fine:
            raise InputError(f"{path}: {name} is {model[name]!r:.40}, which GPT-2's byte-level BPE does not know")


def _check_surroundings(content, path):
    if content.get("normalizer") is not None:
        raise InputError(
            f"{path}: it has a normalizer, which GPT-2's byte-level BPE has not: another kind of tokenizer"
        )
    cutter = content.get("pre_tokenizer")
    if not isinstance(cutter, dict) or cutter.get("type") != "ByteLevel" or not cutter.get("use_regex", True):
        raise InputError(f"{path}: the pre_tokenizer is not ByteLevel with GPT-2's pattern: another kind of tokenizer")
    if cutter.get("add_prefix_space"):
        raise InputError(
            f"{path}: add_prefix_space is set, which would begin every text with a space: GPT-2's is not so"
        )


def _add_tokens(vocabulary, entries, path):
    """Put the added_tokens, which may be in the vocabulary already, into it; return the set of them."""
    added = set()
    for entry in entries if isinstance(entries, list) else []:
        text, i = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(text, str) or not text:
            raise InputError(f"{path}: each of the added_tokens must have an id and a content, not {entry!r:.60}")
        if vocabulary.setdefault(text, i) != i:
            raise InputError(f"{path}: {text!r} has the id {vocabulary[text]!r} in vocab and {i!r:.40} in added_tokens")
        added.add(text)
    return added
