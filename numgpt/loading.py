"""Load a model and its tokenizer by a name or from a folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numgpt.backend import check_device, float_type, to_device
from numgpt.checkpoint import open_checkpoint, open_transformer
from numgpt.errors import InputError, notice
from numgpt.files import BEST, check_path, choose_checkpoint, quoted
from numgpt.model import GPT, Classifier, Transformer

T = TypeVar("T")
M = TypeVar("M", Transformer, Classifier)

if TYPE_CHECKING:
    from numgpt.tokenizer import BPETokenizer, CharTokenizer, WordTokenizer

    Tokenizer = BPETokenizer | CharTokenizer | WordTokenizer | Any  # Any for None: callers know whether there is one


def load(
    name_or_folder: str | os.PathLike[str],
    dtype: str = "float32",
    device: str = "cpu",
    offline: bool = False,
    checkpoint: str | None = None,
) -> "tuple[GPT, Tokenizer]":
    """Load a GPT and its tokenizer from a folder, or by the name of the bundled model or of a published one.

    name_or_folder: "shakespeare", the bundled model; "124M", "355M", "774M" or "1558M", also by their other names
    ("gpt2", "gpt2-xl", ...); "org/name", a Hugging Face repository that holds a GPT-2; or a folder with OpenAI's or
    Hugging Face's files. A published model that is not on this machine yet is downloaded, unless offline=True forbids
    it. Without vocabulary files the tokenizer is None.

    dtype: "float32" or "float64", whatever type the file has. device: "cpu" or "cuda", whatever device wrote the file.
    checkpoint: for the folder of a training run, "best" (the default, the lowest loss on held-out text), "latest" or a
    step number in digits. Raises InputError for an unknown name, for files that are missing, damaged or not a GPT-2's,
    and for a device that cannot be used; OSError for errors of the network and the disk.
    """
    check_device(device)
    float_type(dtype)
    return read_folder(name_or_folder, offline, lambda folder: _load(folder, dtype, device), checkpoint)


def load_transformer(
    name_or_folder: str | os.PathLike[str], dtype: str = "float32", device: str = "cpu", checkpoint: str | None = None
) -> "tuple[Transformer, Tokenizer]":
    """Load a Transformer and its tokenizer from a folder or a training run, or by the bundled name "english-french".

    The arguments are those of `load`. Raises InputError for a folder without a Transformer, or without a tokenizer
    whose first three tokens are special.
    """
    return _load_of_task(
        name_or_folder, "translate", lambda folder: Transformer.load(folder, dtype, device), checkpoint
    )


def holds_transformer(name_or_folder: str | os.PathLike[str], checkpoint: str | None = None) -> bool:
    """Whether a folder, a training run's checkpoint or a bundled model holds a Transformer.

    False for anything else.
    """
    from numgpt.checkpoint import hub

    if not Path(name_or_folder).is_dir() and not hub.find_shipped(name_or_folder):
        return False
    try:
        return read_folder(name_or_folder, True, open_transformer, checkpoint) is not None
    except InputError:
        return False


def load_classifier(
    name_or_folder: str | os.PathLike[str], dtype: str = "float32", device: str = "cpu", checkpoint: str | None = None
) -> "tuple[Classifier, Tokenizer]":
    """Load a Classifier and its tokenizer; otherwise as `load_transformer`."""
    return _load_of_task(name_or_folder, "classify", lambda folder: Classifier.load(folder, dtype, device), checkpoint)


def _load_of_task(
    name_or_folder: str | os.PathLike[str], task: str, read: Callable[[Path], M], checkpoint: str | None
) -> "tuple[M, Tokenizer]":
    """(read(folder), tokenizer), of a folder that `numgpt train --task` made."""
    from numgpt.checkpoint import hub

    shipped = hub.find_shipped(name_or_folder)
    if not Path(name_or_folder).is_dir() and not (shipped and shipped.is_dir()):
        what = "is not in this installation" if shipped else "is not a folder"
        raise InputError(
            f"{quoted(os.fspath(name_or_folder))} {what}: give a folder that `numgpt train --task {task}` made"
        )
    return read_folder(name_or_folder, True, lambda folder: _with_marks(folder, read(folder)), checkpoint)


def _with_marks(folder: Path, model: M) -> "tuple[M, Tokenizer]":
    from numgpt.tokenizer import load_tokenizer, no_vocabulary
    from numgpt.tokenizer.marks import check_marks

    tokenizer, notices = fit(load_tokenizer(folder), model.config.vocab, folder)
    if tokenizer is None:
        raise InputError(no_vocabulary(folder))
    check_marks(tokenizer, folder)
    for line in notices:
        notice(line)
    return model, tokenizer


def read_folder(
    name_or_folder: str | os.PathLike[str], offline: bool, read: Callable[[Path], T], checkpoint: str | None = None
) -> T:
    """read(folder) for the folder that `find_folder` finds.

    A run in training removes its oldest checkpoints, perhaps the very one that is being read. In that case the error or
    the incomplete result is discarded, and the newest checkpoint is read instead.
    """
    while True:
        folder = find_folder(name_or_folder, offline, checkpoint)
        try:
            found = read(folder)
        except (InputError, OSError):
            if folder.exists() or find_folder(name_or_folder, offline, checkpoint) == folder:
                raise
        else:
            if folder.exists():
                return found


def _load(folder: Path, dtype: str, device: str) -> "tuple[GPT, Tokenizer]":
    from numgpt.tokenizer import load_tokenizer  # here, so that `import numgpt` needs only NumPy

    checkpoint = open_checkpoint(folder)
    tokenizer, notices = fit(load_tokenizer(folder), checkpoint.config.n_vocab, folder)
    model = GPT(checkpoint.config, seed=None, dtype=dtype)
    checkpoint.read_into({name: value for name, value, _ in model.named_parameters()})
    if device != "cpu":
        on_host = model
        model = GPT(checkpoint.config, seed=None, dtype=dtype, device=device)
        model.values[...] = to_device(on_host.values, device)
    tell(model, tokenizer, checkpoint.end_of_text)
    for line in (*checkpoint.notices, *notices):
        notice(line)
    return model, tokenizer


def fit(tokenizer: Any, n_vocab: int, folder: Path) -> tuple[Any, list[str]]:
    """(tokenizer, notices): the tokenizer without the added tokens that a model of `n_vocab` rows has no row for.

    Such tokens are common if somebody added them without further training. Raises InputError if other tokens have no
    row.
    """
    if tokenizer is None or tokenizer.n_vocab <= n_vocab:
        return tokenizer, []
    special = getattr(tokenizer, "special", {})  # tables of characters and words have none
    without_row = [text for text, i in special.items() if i >= n_vocab]
    if len(without_row) < tokenizer.n_vocab - n_vocab:
        raise InputError(
            f"{folder}: the tokenizer has {tokenizer.n_vocab} tokens, but the model only {n_vocab}: "
            "they belong to different models"
        )
    names = ", ".join(map(quoted, without_row[:3])) + (", ..." if len(without_row) > 3 else "")
    line = (
        f"{folder}: the model has no embedding for the added tokens from id {n_vocab} on ({names}): they are left out"
    )
    return tokenizer.without_added(n_vocab), [line]


def tell(model: GPT, tokenizer: Any, end_of_text: tuple[int, ...]) -> None:
    """Tell `model` how many ids its tokenizer has, and which end a text: as the files say, else the tokenizer."""
    if tokenizer is not None:
        model.n_tokens = tokenizer.n_vocab
    own = getattr(tokenizer, "end_of_text", None)
    model.end_of_text = tuple(i for i in end_of_text if i < model.n_tokens) or (() if own is None else (own,))


def find_repository(name: str, offline: bool) -> Path:
    """The folder of the repository "org/name", which is downloaded if it is missing.

    Raises InputError if it is not available, since a folder may have been meant.
    """
    from numgpt.checkpoint import repository

    folder = repository.find(name)
    if folder is None and offline:
        raise InputError(
            f"{name} is neither a folder nor downloaded, and offline forbids it: `numgpt download {name}` fetches it"
        )
    try:
        return folder or repository.download(name)
    except ConnectionError as error:
        raise InputError(f"{name} does not exist as a folder, and as a repository: {error}") from None


def read_vocabulary(name_or_folder: str, offline: bool, read: Callable[[Path], T]) -> T:
    """read(folder) for a folder with a vocabulary: as `read_folder`, but a published model needs only its vocabulary.

    If that is not on this machine, it alone is downloaded, 1.5 MB. Raises InputError if offline forbids it.
    """
    from numgpt.checkpoint import hub

    if Path(name_or_folder).expanduser().is_dir() or not hub.is_published(name_or_folder):
        return read_folder(name_or_folder, offline, read)
    folder = hub.find_vocabulary(name_or_folder)
    if folder is None and offline:
        raise InputError(
            f"the vocabulary of {name_or_folder} is not on this machine, and offline forbids a download: "
            "--model shakespeare uses the bundled one"
        )
    return read(folder or hub.download(name_or_folder, vocabulary_only=True))


def find_folder(name_or_folder: str | os.PathLike[str], offline: bool, checkpoint: str | None = None) -> Path:
    """The folder that the argument of `load` stands for; what looks like a path is one, even if nothing is there.

    "org/name" is a Hugging Face repository, unless there is a file or folder of that name or of the name org.

    For a training run it is a checkpoint, as `load` says. Raises InputError if a checkpoint is named without a run.
    """
    from numgpt.checkpoint import hub, repository

    check_path(name_or_folder, "a model's name or folder")
    text = os.fspath(name_or_folder)
    remote = isinstance(name_or_folder, str) and repository.is_name(text)
    is_path = isinstance(name_or_folder, Path) or any(separator in text for separator in "/\\")
    if Path(text).is_dir() or (is_path and not remote):
        folder = Path(os.path.expanduser(text))
        found = choose_checkpoint(folder, BEST if checkpoint is None else checkpoint)
        if found is None and checkpoint is not None:
            raise InputError(f"{text} is not the folder of a training run: leave out the checkpoint")
        return found or folder
    if checkpoint is not None:
        raise InputError(f"{text} is not the folder of a training run: leave out the checkpoint")
    if remote:
        return find_repository(text, offline)
    shipped = hub.find_shipped(text)
    if shipped:
        return shipped
    try:
        name = hub.canonical_name(text)
    except InputError as error:
        raise InputError(f"{quoted(text)} is not a folder, and {error}; shakespeare comes with numgpt") from None
    folder = hub.find(name)
    if folder is None and offline:
        raise InputError(
            f"{name} is not on this machine, and offline forbids a download: `numgpt download {name}` fetches it"
        )
    return folder or hub.download(name)
