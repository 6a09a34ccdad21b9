"""A BPETokenizer from what a vocabulary file and a merges file hold, when they fit together."""

from numgpt.errors import InputError
from numgpt.tokenizer.bpe import BPETokenizer
from numgpt.tokenizer.checks import check_text
from numgpt.tokenizer.json_file import tokens_by_id
from numgpt.tokenizer.symbols import SYMBOL_OF_BYTE, to_bytes

_BYTE_SYMBOLS = set(SYMBOL_OF_BYTE.values())


def assemble(vocabulary, merges, path, where, added=()):
    """The tokenizer of a vocabulary {token: id} and an iterable of merges, lists of str that should be pairs of tokens.

    path: the vocabulary's file, for errors. where: from the number of a merge to its place in a file, for errors.
    added: tokens that no merge has to make. Raises InputError unless the ids are 0 to n - 1, all bytes are there,
    each merge joins what is there by then into a token, and each token is a byte, or made by a merge, or
    added, or has a name like <|endoftext|> or [PAD].
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
    special = {token: vocabulary[token] for token in tokens if token not in made}
    _check_special(special, added, path)
    return BPETokenizer([token.encode() if token in special else to_bytes(token) for token in tokens], pairs, special)


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
            raise InputError(f"{where(n)}: this merge is at {where(list(pairs).index(pair))} already")
        known.add(made)
        pairs[pair] = made
    return pairs


def _check_special(special, added, path):
    for token in special:
        if token not in added and token[:1] + token[-1:] not in ("<>", "[]"):
            raise InputError(
                f"{path}: no merge makes {token!r:.60}: the vocabulary and the merges are not of the same tokenizer, "
                "or one of them was cut short"
            )
        try:
            check_text(token)
        except InputError as error:
            raise InputError(f"{path}: token {token!r:.60}: {error}") from None
