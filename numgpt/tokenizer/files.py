"""From the vocabulary files in a folder to a tokenizer."""

from pathlib import Path

from numgpt.errors import InputError
from numgpt.tokenizer.assemble import assemble
from numgpt.tokenizer.char import CharTokenizer
from numgpt.tokenizer.json_file import read_object, read_text
from numgpt.tokenizer.tokenizer_json import load_tokenizer_json
from numgpt.tokenizer.word import WordTokenizer

_PAIRS = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))  # OpenAI's names, Hugging Face's
_SINGLE = (
    ("tokenizer.json", load_tokenizer_json),
    (CharTokenizer.FILE, CharTokenizer.load),
    (WordTokenizer.FILE, WordTokenizer.load),
)


def load_tokenizer(folder):
    """The tokenizer of the vocabulary files in a folder; None when there are none.

    Looked for in this order: encoder.json with vocab.bpe (OpenAI's names), vocab.json with merges.txt (Hugging
    Face's), tokenizer.json, numgpt's own chars.json and words.json. Raises InputError for a file that is damaged,
    lacks its twin or belongs to another kind of tokenizer, naming the file and, where there is one, the line; OSError
    as the disk does.
    """
    folder = Path(folder)
    for pair in _PAIRS:
        there = [name for name in pair if (folder / name).exists()]
        if len(there) == 2:
            return _load_pair(folder / pair[0], folder / pair[1])
        if there:
            missing = pair[1] if there[0] == pair[0] else pair[0]
            raise InputError(f"{folder}: {there[0]} is of no use without {missing}: put that beside it")
    for name, read in _SINGLE:
        if (folder / name).exists():
            return read(folder / name)
    return None


def _load_pair(vocabulary_path, merges_path):
    """vocabulary: {token: id} as JSON. merges: a line with the version, then one merge a line, left and right."""
    lines = read_text(merges_path).replace("\r\n", "\n").rstrip("\n").split("\n")
    first = 2 if lines[0].startswith("#version") or not lines[0] else 1
    merges = (line.split(" ") for line in lines[first - 1 :])
    vocabulary = read_object(vocabulary_path)
    return assemble(vocabulary, merges, vocabulary_path, lambda n: f"{merges_path}, line {first + n}")
