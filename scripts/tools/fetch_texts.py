"""Fetch texts to train on and to evaluate with from their publishers, verify them, and print their licences.

scripts/fetch-texts                                     all that `numgpt evaluate` reads
scripts/fetch-texts lambada_test.jsonl --to texts
scripts/fetch-texts tinyshakespeare.txt                 a text to train on
scripts/fetch-texts fra.tsv                             English and French sentences to train on
"""

import argparse
import hashlib
import io
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import requests

from numgpt.files import atomic_write, file_sha256

LARGEST = 100_000_000  # bytes of a download


@dataclass(frozen=True)
class Text:
    """Where a text is. member: its name in the zip archive at `url`. Without a SHA-256, its number of lines is checked.

    at_least: the fewest lines, for a text that its publisher replaces by longer ones.
    """

    url: str
    licence: str
    sha256: str | None = None
    member: str | None = None
    lines: int | None = None
    at_least: int | None = None


TEXTS = {
    "wikitext-2-raw.test.txt": Text(
        "https://wikitext.smerity.com/wikitext-2-raw-v1.zip",
        "WikiText-2 (Merity et al. 2016): CC BY-SA 3.0 and GFDL, from Wikipedia",
        sha256="173c87a53759e0201f33e0ccf978e510c2042d7f2cb78229d9a50d79b9e7dd08",
        member="wikitext-2-raw/wiki.test.raw",
    ),
    "lambada_test.jsonl": Text(
        "https://openaipublic.blob.core.windows.net/gpt-2/data/lambada_test.jsonl",
        "LAMBADA (Paperno et al. 2016) as OpenAI evaluated it: modified MIT; the passages are from books",
        sha256="4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226",
    ),
    "hellaswag_val.jsonl": Text(
        "https://raw.githubusercontent.com/rowanz/hellaswag/master/data/hellaswag_val.jsonl",
        "HellaSwag (Zellers et al. 2019): MIT",
        lines=10042,
    ),
    "tinyshakespeare.txt": Text(
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "Tiny Shakespeare: public domain",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
    "fra.tsv": Text(
        "https://www.manythings.org/anki/fra-eng.zip",
        "English-French sentence pairs: CC BY 2.0 France, attribution www.manythings.org/anki and tatoeba.org",
        member="fra.txt",
        at_least=140_000,
    ),
}
EVALUATED = [name for name in TEXTS if name not in ("tinyshakespeare.txt", "fra.tsv")]


def main(argv=None):
    """Fetch what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (default {', '.join(EVALUATED)})")
    parser.add_argument("--to", default=".", metavar="FOLDER", help="where they go (default the current folder)")
    args = parser.parse_args(argv)
    unknown = set(args.names) - set(TEXTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(TEXTS)}")
    status = 0
    for name in args.names or EVALUATED:
        try:
            print(obtain(TEXTS[name], Path(args.to) / name), TEXTS[name].licence, sep="\n  ", flush=True)
        except (OSError, ValueError) as error:
            print(f"could not fetch {name}: {error}", file=sys.stderr)
            status = 2
    return status


def obtain(text, path):
    """Write a Text to `path` unless it is there; return a line about it. Raises OSError, and ValueError for others."""
    if path.exists() and text.sha256 == file_sha256(path):
        return f"{path} exists, verified"
    data = download(text.url)
    if text.member is not None:
        data = unpack(data, text.member)
    if text.sha256 is not None and hashlib.sha256(data).hexdigest() != text.sha256:
        raise ValueError(f"{text.url} is not the text that it used to be")
    if text.lines is not None and len(data.split(b"\n")) - 1 != text.lines:
        raise ValueError(f"{text.url} does not have the {text.lines} lines that it used to have")
    n = data.count(b"\n")
    if text.at_least is not None and n < text.at_least:
        raise ValueError(f"{text.url} has {n} lines, but used to have {text.at_least} or more")
    with atomic_write(path) as file:
        file.write(data)
    if text.at_least is not None:
        return f"{path} has {n} lines; its publisher adds to it, so no SHA-256 is on record"
    return f"{path} verified" if text.sha256 else f"{path} has its {text.lines} lines; no SHA-256 is on record"


def download(url):
    """The bytes at a URL. Raises OSError, and ValueError for too many."""
    with requests.get(url, timeout=60, stream=True, headers={"User-Agent": "numgpt"}) as answer:
        answer.raise_for_status()
        data = answer.raw.read(LARGEST + 1, decode_content=True)
    if len(data) > LARGEST:
        raise ValueError(f"{url} is larger than any text that is expected there")
    return data


def unpack(data, member):
    """A member of a zip archive. Raises ValueError if there is none, or it is too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo(member).file_size > LARGEST:
                raise ValueError(f"{member} is larger than it used to be")
            return archive.read(member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"no zip archive with {member}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
