"""The user's own file for `numgpt gradcheck`: a layer, mine.py:MyLayer(8), or an exercise with its own check()."""

import ast
import importlib.util
import inspect
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from numgpt import check_layer, gradcheck
from numgpt.errors import InputError
from numgpt.gradcheck import Rows
from numgpt.kernels import use_kernels

CHECKERS = (Path(__file__).parent, Path(gradcheck.__file__).parent)


def check_own_layer(target, shapes, seed):
    """The Rows of the layer that `target` names, FILE.py:CLASS(ARGUMENTS), or of FILE.py's own `check()`.

    Raises InputError for errors in the file, and for an exercise that is not solved yet.
    """
    path, name, args, kwargs = parse_target(target)
    rng = np.random.default_rng(seed)
    inputs = [random_input(text, rng) for text in shapes or ()]
    with named_lines(path):
        module = load_module(path)
        if not name and not shapes and hasattr(module, "check"):
            return rows_of_check(module)
        if not shapes:
            raise InputError(f"the input shape of {name or 'the layer'} is missing: give it, as in --input 2,3,8")
        make = find_class(module, name, path)
        check_arguments(make, args, kwargs, path)
        layer = make(*args, **kwargs)
        return check_layer(layer, *inputs, seed=seed)


def rows_of_check(module):
    """The Rows of an exercise, computed with the definitions, whose forward keeps exactly what the book says."""
    with use_kernels("plain"):
        rows = module.check()
        return rows if isinstance(rows, Rows) else Rows(rows)


def parse_target(target):
    """(path, name of the class or "", arguments, keyword arguments)."""
    file, colon, call = target.rpartition(".py:")
    path = Path(file + ".py" if colon else target)
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}: write FILE.py:CLASS, as in mine.py:MyLayer(8)")
    if not colon:
        return path, "", [], {}
    try:
        tree = ast.parse(call.strip(), mode="eval").body
        args, keywords = (tree.args, tree.keywords) if isinstance(tree, ast.Call) else ([], [])
        name = tree.func if isinstance(tree, ast.Call) else tree
        if not isinstance(name, ast.Name) or any(keyword.arg is None for keyword in keywords):
            raise ValueError
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in keywords}
        return path, name.id, [ast.literal_eval(arg) for arg in args], kwargs
    except (ValueError, SyntaxError):
        raise InputError(
            f"{call!r} must be a class, with plain values if any: MyLayer, MyLayer(8) or MyLayer(8, eps=1e-6)"
        ) from None


def random_input(text, rng):
    """Normal numbers of the shape "2,3,8"; integers below 11 for "2,3:11"."""
    shape, colon, below = text.partition(":")
    try:
        sizes = [int(size) for size in shape.split(",")]
        limit = int(below) if colon else 1
        if min(sizes) < 1 or limit < 1:
            raise ValueError
    except ValueError:
        raise InputError(f"--input {text} is not a shape: write 2,3,8, or 2,3:11 for integers below 11") from None
    return rng.integers(0, limit, sizes) if colon else rng.standard_normal(sizes)


def load_module(path):
    """The user's file as a module, which can import the files beside it."""
    spec = importlib.util.spec_from_file_location(f"_layer_of_{path.stem}", path.resolve())
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module


def find_class(module, name, path):
    """The class called `name`; without a name, the only class."""
    classes = {
        key: value for key, value in vars(module).items() if inspect.isclass(value) and hasattr(value, "forward")
    }
    own = [key for key, value in classes.items() if value.__module__ == module.__name__]
    if not name and len(own) == 1:
        return classes[own[0]]
    if name not in classes:
        there = f"it has {', '.join(own)}" if own else "it has none"
        what = f"no class {name} with a method forward" if name else "not just one class with a method forward"
        raise InputError(f"{path} has {what}: {there}")
    return classes[name]


def check_arguments(make, args, kwargs, path):
    """Raise InputError unless the class can be called with these arguments."""
    signature = inspect.signature(make)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        name = make.__name__
        raise InputError(f"{path}: {name}{signature} needs other arguments, as in {name}(8): {error}") from None


@contextmanager
def named_lines(path):
    """Turn an exception of the user's code into one line that names the place in that code."""
    try:
        yield
    except (Exception, SystemExit) as error:
        where = place(error, path)
        if where is None:
            raise
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        if isinstance(error, NotImplementedError):
            kind = "not solved yet: "
        raise InputError(f"{where}: {kind}{error}") from error


def place(error, path):
    """FILE:LINE of the last line of the user's file that ran; if none ran, of other code that the check called.

    None if the check itself raised the error.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if Path(frame.filename) == path.resolve()]
    if users:
        return f"{path}:{users[-1].lineno}"
    ours = [Path(frame.filename).parent in CHECKERS for frame in frames]
    if isinstance(error, InputError) or ours[-1]:
        return None
    return f"{frames[-1].filename}:{frames[-1].lineno}"
