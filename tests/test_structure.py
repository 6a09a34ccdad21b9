"""What holds the house together: imports run one way, and `import numgpt` needs only NumPy."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "numgpt"

# Each part may import from those named beside it, and from itself.
BASE = {"config", "errors", "files", "numbers", "backend"}
MAY_IMPORT = {
    "config": {"errors", "files", "numbers"},
    "errors": set(),
    "files": {"errors"},
    "numbers": {"errors", "files"},
    "backend": {"errors", "files"},
    "kernels": BASE,
    "layers": BASE | {"kernels"},
    "model": BASE | {"kernels", "layers", "checkpoint"},  # checkpoint only for GPT.save
    "tokenizer": BASE | {"kernels"},  # kernels only for `plain`
    "checkpoint": BASE,
    "loading": BASE | {"model", "tokenizer", "checkpoint"},
    "generation": BASE | {"layers", "model"},
    "evaluation": BASE | {"kernels", "layers", "model", "generation", "checkpoint"},  # checkpoint for its lock
    "gradcheck": BASE | {"kernels", "layers", "model", "training"},
    "textbook": {
        "layers",
        "training",
        "gradcheck",
        "explain",
    },  # layers and training only in the template, which is read
    "training": BASE | {"kernels", "layers", "model", "tokenizer", "checkpoint", "loading", "generation"},
    "tracing": BASE | {"kernels", "layers", "model", "explain"},  # explain only for Trace._repr_html_
    "explain": BASE | {"layers", "model", "tokenizer", "generation", "training", "tracing", "gradcheck"},
    "verification": BASE | {"model", "tokenizer", "generation", "training", "evaluation"},
}


def part(path):
    """The name of the part of the house that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path):
    """The parts of numgpt that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            top, _, rest = module.partition(".")
            assert top not in ("tests", "scripts"), f"{path} imports {module}"
            if top == "numgpt" and rest:
                yield rest.split(".")[0]


def test_imports_run_one_way():
    for path in PACKAGE.rglob("*.py"):
        name = part(path)
        if name in MAY_IMPORT:
            wrong = set(imported_parts(path)) - MAY_IMPORT[name] - {name}
            assert not wrong, f"{path} imports {wrong}"


def test_every_part_has_its_rule():
    parts = {part(path) for path in PACKAGE.rglob("*.py")}
    assert parts - set(MAY_IMPORT) <= {"__init__", "__main__", "cli"}


def test_cupy_is_imported_in_few_places():
    for path in PACKAGE.rglob("*.py"):
        names = [
            alias.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for alias in getattr(node, "names", [])
            if isinstance(node, ast.Import)
        ]
        if {"cupy", "cupyx"} & set(names):
            assert path.name == "backend.py" or path.parent.name == "gpu", f"{path} imports CuPy"


def test_nothing_that_can_run_code_is_read():
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not {"eval", "exec", "pickle"} & names, path
        assert not {"allow_pickle"} & attributes, path


@pytest.mark.parametrize("module", ["numgpt", "numgpt.layers", "numgpt.model", "numgpt.gradcheck"])
def test_numpy_alone_is_enough(module):
    code = (
        "import sys\n"
        "for name in ('regex', 'requests', 'tqdm', 'google_crc32c', 'threadpoolctl', 'cupy', 'torch', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        f"import {module}"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


def test_every_package_is_installed():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg", "utf-8")
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    found = {".".join(folder.relative_to(PACKAGE.parent).parts) for folder in folders}
    assert set(setup["options"]["packages"].split()) == found | {"numgpt.weights"}
