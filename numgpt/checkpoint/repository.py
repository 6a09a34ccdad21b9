"""Find and download any Hugging Face repository that holds a GPT-2, by its name, "org/name".

A download is `<home>/org--name`; config.json comes last, so a folder that has one is complete. Each file is requested
at <server>/org/name/resolve/<revision>/<file>; for a large one the server gives its SHA-256 (X-Linked-ETag) and
redirects the client to another host, which does not get the token.
"""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from numgpt.checkpoint import hub
from numgpt.checkpoint.configuration import read_config
from numgpt.checkpoint.weights import INDEX, WEIGHTS, read_index
from numgpt.errors import InputError, notice
from numgpt.files import flush, parse_json, quoted

SERVER = "https://huggingface.co"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/(?!\.)[\w.-]{1,96}", re.ASCII)
CONFIG = "config.json"
OTHERS = (  # besides config.json and the weights; all optional
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def is_name(text):
    """Whether `text` looks like "org/name" and not like a path: neither it nor its first half exists here."""
    return bool(NAME.fullmatch(text)) and not Path(text).exists() and not Path(text.partition("/")[0]).exists()


def find(name):
    """The folder of a complete download of the repository `name`, or None."""
    folder = folder_of(name)
    return folder if (folder / CONFIG).is_file() else None


def folder_of(name):
    """Where a download of the repository `name` goes."""
    return hub.home() / name.replace("/", "--")


def download(name, mirror=None):
    """The folder of the repository `name`, after downloading it if it is not there.

    mirror: the URL of the server; by default $HF_ENDPOINT, else huggingface.co. $HF_TOKEN, if there is one, is sent to
    that server alone. An interrupted download resumes where it stopped; a second process waits for the first.

    Raises InputError for an invalid name or URL, and for a repository without a GPT-2 that can be loaded; OSError if
    the network, the server or the disk fails, and for a file that is not what the server says.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"a repository must be named org/name, not {quoted(name)}")
    server = (mirror or os.environ.get("HF_ENDPOINT") or SERVER).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise InputError(f"the server must be a URL that begins with https:// or http://, not {quoted(server)}")
    token = read_token()
    if find(name):
        return find(name)

    from numgpt.checkpoint.lock import exclusive

    folder = folder_of(name)
    parts = folder.with_name(folder.name + ".part")
    with exclusive(folder.with_name(folder.name + ".lock"), f"numgpt: another process is downloading {name}; waiting"):
        if not find(name):
            parts.mkdir(exist_ok=True)
            notice(f"downloading {name} from {server} to {folder}")
            try:
                _move(_Repository(server, name, parts, token).fetch(), parts, folder)
            finally:
                with suppress(OSError):  # it is gone, or not empty
                    parts.rmdir()
    return folder


def read_token():
    """$HF_TOKEN, or None without one. Raises InputError, which does not repeat it, if it cannot be a token."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch("[!-~]*", token):
        raise InputError("HF_TOKEN contains a character that no token has: copy it again from your account settings")
    return token or None


def _move(names, parts, folder):
    """Move the files to their place, config.json last."""
    folder.mkdir(exist_ok=True)
    for file in sorted(names, key=lambda file: file == CONFIG):
        flush(parts / file)
        os.replace(parts / file, folder / file)
    flush(folder)
    shutil.rmtree(parts)


class _Repository:
    """The files of one repository, and their download into the folder `parts`."""

    def __init__(self, server, name, parts, token):
        import requests

        from numgpt.checkpoint.fetch import Bearer

        self.server, self.name, self.parts, self.token = server, name, parts, token
        self.revision = "main"
        self.session = requests.Session()
        self.session.headers["User-Agent"] = "numgpt"
        if token:
            self.session.auth = Bearer(token)

    def fetch(self):
        """The names of the files, after downloading all of them."""
        with self.session:
            if not self.bring(CONFIG):
                raise InputError(f"{self.server}/{self.name} has no {CONFIG}: not a model of transformers'")
            read_config(self.parts / CONFIG)  # another architecture is refused before its weights are downloaded
            others = [file for file in OTHERS if self.bring(file)]
            return [CONFIG, *others, *self.bring_weights()]

    def bring_weights(self):
        """The names of the files with the weights, after downloading them."""
        if self.bring(WEIGHTS):
            return [WEIGHTS]
        index = INDEX
        if not self.bring(INDEX):
            index = self.only_variant()
            self.bring(index, needed=True)
            if index.endswith(".safetensors"):
                return [index]
        shards = [*dict.fromkeys(read_index(self.parts / index).values())]
        for file in shards:
            self.bring(file, needed=True)
        return [*shards, index]

    def only_variant(self):
        """The only file of weights with a variant in its name. Raises InputError unless there is exactly one."""
        files = self.listed()
        variants = [
            file
            for file in files
            if re.fullmatch(r"model\.[\w-]+\.safetensors|model\.safetensors\.index\.[\w-]+\.json", file)
        ]
        if len(variants) == 1:
            return variants[0]
        closed = [file for file in files if file.endswith((".bin", ".pt", ".pth", ".h5", ".msgpack"))]
        there = ""
        if variants:
            there = f", but {', '.join(variants[:3])}: download the one that you want as {WEIGHTS}"
        elif closed:
            there = f"; {closed[0]} can run code and is never opened: have transformers load and save it"
        raise InputError(f"{self.server}/{self.name} has no {WEIGHTS}{there}")

    def listed(self):
        """The names of the files in the repository, if the server tells."""
        import requests

        try:
            url = f"{self.server}/api/models/{self.name}/revision/{self.revision}"
            response = self.session.get(url, timeout=60)
            siblings = parse_json(response.content, url).get("siblings") if response.ok else None
        except (requests.RequestException, InputError):
            return []
        names = [file.get("rfilename") for file in siblings or [] if isinstance(file, dict)]
        return [name for name in names if isinstance(name, str)]

    def bring(self, file, needed=False):
        """Whether the repository has `file`, which is then in `parts`, verified."""
        from numgpt.checkpoint.fetch import DownloadError, fetch

        part, large = self.parts / file, file.endswith(".safetensors")
        if not large:
            part.unlink(missing_ok=True)  # the beginning of an older version would go unnoticed
        url = f"{self.server}/{self.name}/resolve/{self.revision}/{file}"
        try:
            published = fetch(self.session, url, part)
        except DownloadError as error:
            if error.status == 404 and not needed:
                return False
            raise DownloadError(self.advice(error), error.status) from None
        self.revision = published.commit or self.revision  # so that all files are of one version
        if large and not published.sha256:
            notice(f"{self.server} gives no SHA-256 for {file}: only its size was checked")
        if file.endswith(".json"):
            check_json(part, url)
        return True

    def advice(self, error):
        """The message of `error` with what to do about it."""
        if error.status == 401 and self.token:
            return f"{error}: HF_TOKEN is not accepted there, or {self.name} does not exist"
        if error.status == 401:
            return f"{error}: {self.name} does not exist, or HF_TOKEN has to be set to a token that may read it"
        if error.status == 403:
            where = f"{self.server}/{self.name}"
            return f"{error}: its terms may have to be accepted at {where}, by the account that HF_TOKEN belongs to"
        return str(error)


def check_json(part, url):
    """Raise DownloadError, and delete the file, if it is not JSON but, say, a page that asks to log in."""
    from numgpt.checkpoint.fetch import DownloadError

    try:
        parse_json(part.read_bytes(), part.name)
    except InputError as error:
        part.unlink()
        raise DownloadError(f"{url} is not what its name says ({error}; deleted)") from None
