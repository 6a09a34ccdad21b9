"""`numgpt info`: what numgpt runs on, and what a model is."""

import os
import platform
from dataclasses import asdict
from pathlib import Path

from numgpt.errors import InputError

EPILOG = """examples:
  numgpt info                     versions, threads, and where models are looked for
  numgpt info 124M                a published model, downloaded or not
  numgpt info shakespeare         the bundled GPT
  numgpt info english-french      the bundled Transformer
  numgpt info path/to/folder      a model on disk, or what a folder lacks to be one
"""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "info",
        help="show versions, threads and folders, and what a model is",
        description="Show what numgpt runs on and where it looks for models; of a MODEL, its configuration, how many "
        "parameters it has and the memory it takes; of a folder that is no model, what is there and what is missing. "
        "Nothing is downloaded.",
        epilog=EPILOG,
    )
    parser.add_argument("model", nargs="?", metavar="MODEL", help="a published name or a folder with a model")
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
    """Print (name, value) pairs, the values below each other."""
    width = max((len(name) for name, _ in lines), default=0)
    for name, value in lines:
        print(f"{name:{width}}  {value}")


def contents(name):
    """(name, value) of what lies in a folder that is no model: its files. Nothing of what is no folder."""
    from numgpt.checkpoint.contents import describe

    folder = Path(name).expanduser()
    return [("folder", folder), *describe(folder)] if folder.is_dir() else []


def system():
    """(name, value) of what numgpt runs on."""
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
    """How many threads matrix products use, as far as can be told without asking the library itself."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        named = [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
        return ", ".join(named) or "not limited"
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return ", ".join(str(pool["num_threads"]) for pool in pools) or "unknown"


def model(name):
    """(name, value) of a model: its configuration and sizes."""
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
        ("and for each text's keys and values", f"up to {megabytes(n_cached, 4)}, {megabytes(n_cached, 8)}"),
    ]


def own_model(folder):
    """(name, value) of the Transformer or the Classifier in `folder`; None where there is none."""
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
    """(name, value): how many parameters there are, and what memory they take."""
    memory = f"{megabytes(n_parameters, 4)} in float32, {megabytes(n_parameters, 8)} in float64"
    return [("parameters", f"{n_parameters:,}"), ("memory for the parameters", memory)]


def vocabulary(folder, n_vocab):
    """(name, value) of a model's vocabulary files. Raises InputError for what `numgpt.load` refuses."""
    from numgpt.loading import fit
    from numgpt.tokenizer import load_tokenizer

    tokenizer, notices = fit(load_tokenizer(folder), n_vocab, folder)
    missing = "missing: without vocab.json and merges.txt, or OpenAI's encoder.json and vocab.bpe, it knows no text"
    found = missing if tokenizer is None else f"{tokenizer.n_vocab:,} tokens"
    return [("vocabulary", found), *(("notice", notice) for notice in notices)]


def megabytes(count, size):
    """The memory of `count` numbers of `size` bytes."""
    return f"{count * size / 1e6:,.1f} MB"
