"""`numgpt info`: describe the system that numgpt runs on, or a model."""

import os
import platform
from dataclasses import asdict
from pathlib import Path

from numgpt.errors import InputError

EPILOG = """examples:
  numgpt info                     versions, threads, and where numgpt looks for models
  numgpt info 124M                a published model, downloaded or not
  numgpt info shakespeare         the bundled GPT
  numgpt info english-french      the bundled Transformer
  numgpt info path/to/folder      a model on disk, or what the folder lacks to be a model
"""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "info",
        help="show versions, threads and folders, or describe a model",
        description="Without MODEL, show versions, threads and where numgpt looks for models. With MODEL, show its "
        "configuration, its number of parameters and the memory that it takes; for a folder that is not a model, show "
        "what is there and what is missing. Nothing is downloaded.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="a bundled or published name, or a folder with a model"
    )
    parser.set_defaults(run=run)


def run(args):
    if args.model is None:
        print_lines(system())
        return 0
    try:
        lines = model(args.model)
    except InputError:
        print_lines(contents(args.model))
        raise
    print_lines(lines)
    return 0


def print_lines(lines):
    """Print (name, value) pairs, with the values in one column."""
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        print(f"{name:{width}}  {value}")


def contents(name):
    """(name, value) pairs for the files in a folder that is not a model; none if `name` is not a folder."""
    from numgpt.checkpoint.contents import describe

    folder = Path(name).expanduser()
    return [("folder", folder), *describe(folder)] if folder.is_dir() else []


def system():
    """(name, value) pairs for the system that numgpt runs on."""
    import numpy as np

    from numgpt import __version__
    from numgpt.backend import gpu_figures
    from numgpt.checkpoint import hub, releases

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    found = {size: hub.find(size) for size in releases.RELEASES["openai"]}
    return [
        ("numgpt", __version__),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("BLAS", f"{blas['name']} {blas.get('version', '')}".strip()),
        ("BLAS threads", blas_threads()),
        ("processor cores", os.cpu_count()),
        *gpu_figures(),
        *((name, hub.find_shipped(name)) for name in hub.SHIPPED),
        ("downloads", hub.home()),
        *((size, folder or f"not downloaded (numgpt download {size})") for size, folder in found.items()),
    ]


def blas_threads():
    """How many threads matrix products use, as far as is known."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        named = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
        return ", ".join(named) or "not limited"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(str(pool["num_threads"]) for pool in pools) or "unknown"


def model(name):
    """(name, value) pairs for a model: its configuration and sizes."""
    from numgpt.checkpoint import hub, open_checkpoint, repository
    from numgpt.config import OFFICIAL_SIZES
    from numgpt.loading import find_folder

    folder = hub.find_shipped(name)
    if repository.is_name(name):
        folder = repository.find(name)
        if folder is None:
            return [("folder", f"not downloaded (numgpt download {name})")]
    elif Path(name).is_dir() or any(separator in name for separator in "/\\"):
        folder = find_folder(name, offline=True)
    own = None if folder is None else own_model(folder)
    if own:
        return own
    if folder is not None:
        config = open_checkpoint(folder).config
    else:
        size = hub.canonical_name(name)
        folder, config = hub.find(size), OFFICIAL_SIZES[size]
    words = vocabulary(folder, config.n_vocab) if folder else []
    folder = folder or f"not downloaded (numgpt download {size})"
    n_cached = 2 * config.n_layer * config.n_ctx * config.n_embd
    return [
        ("folder", folder),
        *asdict(config).items(),
        *words,
        *sizes(config.n_parameters),
        ("memory for each text's cache", f"up to {memory_of(n_cached)}"),
    ]


def own_model(folder):
    """(name, value) pairs for the Transformer or the Classifier in `folder`; None if there is none."""
    from numgpt.checkpoint import open_classifier, open_transformer
    from numgpt.checkpoint.architecture import CLASSIFIER, OWN, TRANSFORMER
    from numgpt.files import read_json

    path = Path(folder) / "config.json"
    kind = read_json(path).get("model_type") if path.exists() else None
    if kind not in (TRANSFORMER, CLASSIFIER):
        return None
    if kind == TRANSFORMER:
        stored, labels = open_transformer(folder), []
    else:
        stored, labels = open_classifier(folder)
    config = stored.config
    what, command = OWN[kind]
    n_parameters = config.n_classifier_parameters(len(labels)) if labels else config.n_parameters
    return [
        ("folder", folder),
        ("model", f"{what}: numgpt {command} --model {folder}"),
        *asdict(config).items(),
        *([("labels", ", ".join(labels))] if labels else []),
        *vocabulary(folder, config.vocab),
        *sizes(n_parameters),
    ]


def sizes(n_parameters):
    """(name, value) pairs: the number of parameters and the memory that they take."""
    return [("parameters", f"{n_parameters:,}"), ("memory for the parameters", memory_of(n_parameters))]


def memory_of(count):
    """The memory of `count` numbers, in both types."""
    return f"{megabytes(count, 4)} in float32, {megabytes(count, 8)} in float64"


def vocabulary(folder, n_vocab):
    """(name, value) pairs for a model's vocabulary files. Raises InputError for files that `numgpt.load` refuses."""
    from numgpt.loading import fit
    from numgpt.tokenizer import load_tokenizer

    tokenizer, notices = fit(load_tokenizer(folder), n_vocab, folder)
    missing = "missing: text needs vocab.json and merges.txt, or OpenAI's encoder.json and vocab.bpe"
    found = missing if tokenizer is None else f"{tokenizer.n_vocab:,} tokens"
    return [("vocabulary", found), *(("notice", notice) for notice in notices)]


def megabytes(count, size):
    """The memory of `count` numbers of `size` bytes each."""
    return f"{count * size / 1e6:,.1f} MB"
