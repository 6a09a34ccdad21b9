"""The files beside a vocabulary that name added tokens, as transformers wrote them over the years, and their contents.

added_tokens.json        {text: id}
special_tokens_map.json  {"bos_token": text or {"content": text, ...}, ..., "additional_special_tokens": [...]}
tokenizer_config.json    the same names; in later years also "added_tokens_decoder": {id: {"content": text, ...}},
                         which takes the place of the other two files
"""

from numgpt.errors import InputError
from numgpt.files import quoted, read_json
from numgpt.tokenizer.added import AddedToken

FLAGS = ("special", "single_word", "lstrip", "rstrip", "normalized")
ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
LISTS = ("additional_special_tokens", "extra_special_tokens")


def add_from_files(added, vocabulary, path):
    """`added`, {text: AddedToken}, with the tokens named in the files beside the vocabulary file `path`.

    They are put into `vocabulary`, {text: id}, too; a special token without an id gets the next one, as in
    transformers. Raises InputError for files that are damaged or do not fit the vocabulary.
    """
    settings_path = path.with_name("tokenizer_config.json")
    settings = _read(settings_path)
    if settings.get("add_prefix_space") is True:
        raise InputError(
            f"{settings_path}: add_prefix_space is set: every text would begin with a space, unlike GPT-2's"
        )
    added = dict(added)
    if isinstance(settings.get("added_tokens_decoder"), dict):
        for i, entry in settings["added_tokens_decoder"].items():
            add(entry, int(i) if i.isdecimal() and len(i) < 20 else i, added, vocabulary, settings_path)
    else:
        plain_path = path.with_name("added_tokens.json")
        for text, i in _read(plain_path).items():
            add({"content": text, "special": False}, i, added, vocabulary, plain_path)
        settings = settings | _read(path.with_name("special_tokens_map.json"))
    for entry in _special(settings):
        entry = {"content": entry} if isinstance(entry, str) else entry
        if isinstance(entry, dict) and isinstance(text := entry.get("content"), str):
            known = added.get(text)
            entry = {name: getattr(known, name) for name in FLAGS} | entry if known else entry
            add(entry | {"special": True}, vocabulary.get(text, len(vocabulary)), added, vocabulary, settings_path)
    return added


def add(entry, i, added, vocabulary, path):
    """Put the token that `entry`, a dict from a file, describes into `added`, and with the id `i` into `vocabulary`."""
    text = entry.get("content") if isinstance(entry, dict) else None
    if not isinstance(text, str) or not text:
        raise InputError(f"{path}: each of the added_tokens must have an id and a content, not {quoted(entry)}")
    if vocabulary.setdefault(text, i) != i:
        known = quoted(vocabulary[text])
        raise InputError(f"{path}: {quoted(text)} has the id {known} in vocab and {quoted(i)} in added_tokens")
    added[text] = AddedToken(text, **{name: entry[name] is True for name in FLAGS if name in entry})


def _special(settings):
    """What the settings name as special tokens, in the order in which transformers adds them."""
    yield from (settings[role] for role in ROLES if settings.get(role))
    for name in LISTS:
        several = settings.get(name) or []
        yield from several.values() if isinstance(several, dict) else several if isinstance(several, list) else []


def _read(path):
    return read_json(path) if path.exists() else {}
