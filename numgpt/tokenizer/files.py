"""Loading a tokenizer from the vocabulary files in a folder, which have to fit together."""

from numgpt.errors import InputError
from numgpt.files import check_path, read_json, read_text
from numgpt.tokenizer.added_files import add, add_from_files
from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.common import check_text, tokens_by_id
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE, to_bytes
from numgpt.tokenizer.tables import CharTokenizer, WordTokenizer

_PAIRS = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))  # OpenAI's names, Hugging Face's

# The values that these settings of the model may have, if given, for it to be GPT-2's.
_NEUTRAL = {
    "dropout": (None, 0),
    "continuing_subword_prefix": (None, ""),
    "end_of_word_suffix": (None, ""),
    "byte_fallback": (None, False),
    "ignore_merges": (None, False),
}
_BYTE_SYMBOLS = set(SYMBOL_OF_BYTE.values())


def load_tokenizer(folder):
    """The tokenizer of the vocabulary files in a folder; None if there are none.

    They are looked for in this order: tokenizer.json, which says everything; encoder.json with vocab.bpe (OpenAI's
    names); vocab.json with merges.txt (Hugging Face's); numgpt's own chars.json and words.json. Beside each of the
    first three, other files may name added tokens (added_files.py). Raises InputError for a file that is damaged, lacks
    its twin or belongs to another kind of tokenizer, naming the file and, if possible, the line; OSError if reading
    fails.
    """
    folder = check_path(folder, "folder")
    if (folder / "tokenizer.json").exists():
        return load_tokenizer_json(folder / "tokenizer.json")
    for pair in _PAIRS:
        there = [name for name in pair if (folder / name).exists()]
        if len(there) == 2:
            return _load_pair(folder / pair[0], folder / pair[1])
        if there:
            missing = pair[1] if there[0] == pair[0] else pair[0]
            raise InputError(f"{folder}: {there[0]} needs {missing}: put that file beside it")
    for kind in CharTokenizer, WordTokenizer:
        if (folder / kind.FILE).exists():
            return kind.load(folder / kind.FILE)
    return None


def no_vocabulary(name):
    """The message for a model or folder `name` for which `load_tokenizer` gives None, where a tokenizer is needed."""
    return f"{name} has no vocabulary files: put encoder.json and vocab.bpe, or vocab.json and merges.txt, into it"


def _load_pair(vocabulary_path, merges_path):
    """vocabulary: {token: id} as JSON. merges: a line with the version, then one merge per line, left and right."""
    lines = read_text(merges_path).replace("\r\n", "\n").rstrip("\n").split("\n")
    first = 2 if lines[0].startswith("#version") or not lines[0] else 1
    merges = (line.split(" ") for line in lines[first - 1 :])
    vocabulary = read_json(vocabulary_path)
    added = add_from_files({}, vocabulary, vocabulary_path)
    return assemble(vocabulary, merges, vocabulary_path, lambda n: f"{merges_path}, line {first + n}", added)


def load_tokenizer_json(path):
    """The BPETokenizer of a tokenizer.json. Raises InputError if it is damaged or does not do what GPT-2's does."""
    content = read_json(path)
    model = content.get("model")
    if not isinstance(model, dict):
        raise InputError(f"{path}: there is no model in it: not a Hugging Face tokenizer.json")
    _check_model(model, path)
    _check_surroundings(content, path)
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise InputError(f"{path}: the model must have a vocab, which is an object, and merges, a list")
    added = add_from_files(_add_tokens(vocabulary, content.get("added_tokens"), path), vocabulary, path)
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
        raise InputError(f"{path}: a tokenizer of the kind {kind!r:.40}; numgpt reads byte-level BPE, such as GPT-2's")
    for name, fine in _NEUTRAL.items():
        if model.get(name) not in fine:
            raise InputError(f"{path}: {name} is {model[name]!r:.40}, which GPT-2's byte-level BPE does not have")


def _check_surroundings(content, path):
    if content.get("normalizer") is not None:
        raise InputError(f"{path}: it has a normalizer, unlike GPT-2's byte-level BPE: another kind of tokenizer")
    cutter = content.get("pre_tokenizer")
    if not isinstance(cutter, dict) or cutter.get("type") != "ByteLevel" or not cutter.get("use_regex", True):
        raise InputError(f"{path}: the pre_tokenizer is not ByteLevel with GPT-2's pattern: another kind of tokenizer")
    if cutter.get("add_prefix_space"):
        raise InputError(f"{path}: add_prefix_space is set: every text would begin with a space, unlike GPT-2's")


def _add_tokens(vocabulary, entries, path):
    """{text: AddedToken} of added_tokens; they are put into the vocabulary if they are not in it."""
    added = {}
    for entry in entries if isinstance(entries, list) else []:
        add(entry, entry.get("id") if isinstance(entry, dict) else None, added, vocabulary, path)
    return added


def assemble(vocabulary, merges, path, where, added):
    """The tokenizer of a vocabulary {token: id} and an iterable of merges, lists of str that should be pairs of tokens.

    path: the vocabulary's file, for errors. where: from the number of a merge to its place in a file, for errors.
    added: {text: AddedToken}, tokens that no merge has to make. Raises InputError unless the ids are 0 to n - 1, all
    bytes are there, each merge makes a token of two that exist by then, and each token is a byte, or made by a merge,
    or added, or has a name like <|endoftext|> or [PAD].
    """
    tokens = tokens_by_id(vocabulary, path)
    missing = sorted(_BYTE_SYMBOLS - vocabulary.keys())
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of the symbols for the 256 bytes are missing, {missing[0]!r} among them: "
            "not a byte-level vocabulary, or a damaged one"
        )
    pairs = _number_merges(vocabulary, merges, where)
    made = _BYTE_SYMBOLS.union([tokens[i] for i in pairs.values()])
    added = {text: token for text, token in added.items() if text not in _BYTE_SYMBOLS}
    special = {token: vocabulary[token] for token in tokens if token not in made or token in added}
    _check_special(special, added, path)
    tokens = [token.encode() if token in special else to_bytes(token) for token in tokens]
    return BPETokenizer(tokens, pairs, special, added.values())


def _number_merges(vocabulary, merges, where):
    """{(left id, right id): id of what they make} in the order of the merges."""
    id_of = vocabulary.get
    known = {vocabulary[symbol] for symbol in _BYTE_SYMBOLS}
    pairs = {}
    for n, merge in enumerate(merges):
        if len(merge) != 2:
            raise InputError(
                f"{where(n)}: a merge is two symbols with one space between them, not {' '.join(merge)!r:.60}"
            )
        left, right = merge
        pair, made = (id_of(left), id_of(right)), id_of(left + right)
        if pair[0] not in known or pair[1] not in known:
            unknown = right if pair[0] in known else left
            raise InputError(f"{where(n)}: {unknown!r:.60} is neither a byte's symbol nor made by a merge above")
        if made is None:
            raise InputError(f"{where(n)}: {left + right!r:.60}, which the merge makes, is not in the vocabulary")
        if pair in pairs:
            raise InputError(f"{where(n)}: the same merge is at {where(list(pairs).index(pair))}")
        known.add(made)
        pairs[pair] = made
    return pairs


def _check_special(special, added, path):
    for token in special:
        if token not in added and token[:1] + token[-1:] not in ("<>", "[]"):
            raise InputError(
                f"{path}: no merge makes {token!r:.60}: the vocabulary and the merges are of different tokenizers, "
                "or one of them was cut short"
            )
        try:
            check_text(token)
        except InputError as error:
            raise InputError(f"{path}: token {token!r:.60}: {error}") from None
