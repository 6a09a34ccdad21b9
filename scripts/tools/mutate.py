#!/usr/bin/env python3
"""Break the package in every small way, one at a time, and see whether the tests notice.

    python scripts/tools/mutate.py                          every file that PARTS names, half an hour
    python scripts/tools/mutate.py numgpt/layers/gelu.py    one of them
    python scripts/tools/mutate.py numgpt/layers/gelu.py --lines 26 33

A mutant has one operator, comparison, constant, order of arguments or condition changed, or one statement left out. It
is imported in place of its module, and the tests of its part run until one fails. Those that survive are printed: each
needs a test, or a reason in docs/proof.md why it computes the same. docs/proof.md has the last run's figures.
"""

import argparse
import ast
import copy
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = [
    "tests/layers/test_injected_bugs.py::test_nothing_is_broken_yet",
    "tests/model/test_gpt.py",
    "tests/layers/test_definitions.py",
    "tests/layers/test_inputs.py",
    "tests/layers/test_promises.py",
    "tests/kernels/test_definitions.py",
    "tests/layers/test_layer_by_itself.py",
    "tests/model/test_transformer.py",
    "tests/model/test_memory.py",
    "tests/model/test_refusals.py",
    "tests/model/test_family.py",
    "tests/test_loading.py",
    "tests/layers/test_gradients.py",
    "tests/cli/test_gradcheck_table.py",
]
SLOW = ["test_every_check_of_the_command_passes[model", "test_whole_model"]  # what they see, the first test sees
OPTIONS = [
    "-x",
    "-q",
    "-p",
    "no:cacheprovider",
    *(f"--deselect=tests/layers/test_gradients.py::{name}" for name in SLOW),
]
PARTS = {
    "numgpt/layers": LAYERS,
    "numgpt/model": LAYERS,
    "numgpt/training/optimizer.py": ["tests/training/test_optimizer.py", "tests/model/test_refusals.py", *LAYERS[:1]],
    "numgpt/generation/sampling.py": ["tests/generation/test_sampling.py", "tests/generation/test_generate.py"],
    "numgpt/tokenizer/bpe.py": ["tests/tokenizer"],
}
SYMMETRIC = ("min", "max", "maximum", "swapaxes")  # the order of their arguments does not matter
SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.MatMult: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def changes(node):
    """What may replace a node, which is not changed itself."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        yield changed(node, op=SWAPPED[type(node.op)]())
    elif isinstance(node, ast.Compare):
        yield changed(node, ops=[SWAPPED[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.IfExp):
        yield changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
    elif isinstance(node, ast.Call) and len(node.args) > 1 and not ast.unparse(node.func).endswith(SYMMETRIC):
        yield changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
    elif isinstance(node, ast.If | ast.While):
        yield changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise):
        yield ast.Pass()
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)


def changed(node, **fields):
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def places(node):
    """(parent, name of a field, index in it or None) of all that may be changed: no texts, annotations or messages."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "exc", "keywords" if is_type(node) else ""):
            continue
        for i, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            if not isinstance(child, ast.AST) or text or isinstance(child, ast.JoinedStr) or is_type(child):
                continue
            yield node, name, i
            yield from places(child)


def is_type(node):
    """Whether a statement is about types only."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "TypeVar" in ast.unparse(node.value)


def mutants(source):
    """(line, before, after, tree) for every mutant of a module's source; the tree is the same one, changed in turn."""
    tree = ast.parse(source)
    for parent, name, i in list(places(tree)):
        value = getattr(parent, name)
        node = value if i is None else value[i]
        for new in changes(node):
            new = ast.fix_missing_locations(ast.copy_location(new, node))
            if ast.unparse(new) != ast.unparse(node):
                put(parent, name, i, new)
                yield node.lineno, ast.unparse(node), ast.unparse(new), tree
                put(parent, name, i, node)


def put(parent, name, i, node):
    if i is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[i] = node


class Instead(importlib.machinery.SourceFileLoader):
    """A finder and loader that replaces one module's code."""

    code = None

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname):
        return self.code


def start(file, tree, tests):
    """Run `tests` on a mutant in a fork of this process, which has done the slow imports; return its id."""
    pid = os.fork()
    if pid:
        return pid
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.setsid()
    import pytest

    try:
        name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        loader = Instead(name, str(ROOT / file))
        loader.code = compile(tree, file, "exec")
        sys.meta_path.insert(0, loader)
        os._exit(pytest.main([*OPTIONS, *tests]))
    except BaseException:
        os._exit(1)


def wait(running, limit):
    """The id of the next run to end, and whether its tests passed; one that exceeds its time has not."""
    while True:
        for pid, (began, *_) in running.items():
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return pid, status == 0
            if time.monotonic() - began > limit:
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return pid, False
        time.sleep(0.02)


def prepare():
    """Import what every run needs, but nothing of numgpt; hypothesis repeats its examples and shrinks nothing."""
    os.chdir(ROOT)
    os.nice(10)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path.insert(0, str(ROOT))
    import numpy.testing  # noqa: F401
    import pytest  # noqa: F401
    from hypothesis import HealthCheck, Phase, settings

    settings.register_profile(
        "mutate",
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutate")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--lines", nargs="*", type=int, help="only mutants of these lines, to see a new test kill them")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=300, help="seconds after which a mutant counts as killed")
    args = parser.parse_args()
    prepare()
    everything = [
        f for part in PARTS for f in ([Path(part)] if part.endswith(".py") else sorted(Path(part).glob("[!_]*.py")))
    ]
    survived, total = 0, 0
    for file in args.files or everything:
        tests = next(tests for part, tests in PARTS.items() if str(file).startswith(part))
        tests = [test for test in tests if Path(test.partition("::")[0]).exists()]
        source = file.read_text("utf-8")
        pid = start(file, ast.parse(source), tests)
        if not wait({pid: (time.monotonic(),)}, args.limit)[1]:
            sys.exit(f"{file}: its tests do not pass unchanged")
        found, count = run_all(file, source, tests, args)
        survived, total = survived + found, total + count
        print(f"{file}: {count} mutants, {count - found} killed, {found} survive", flush=True)
    print(f"{total} mutants, {total - survived} killed, {survived} survive")


def run_all(file, source, tests, args):
    """Run every mutant of a file, print those that survive; return (how many do, how many there are)."""
    running, survived, count = {}, 0, 0
    waiting = (mutant for mutant in mutants(source) if not args.lines or mutant[0] in args.lines)
    while True:
        mutant = next(waiting, None)
        if mutant:
            count += 1
            line, before, after, tree = mutant
            running[start(file, tree, tests)] = time.monotonic(), line, before, after
        if not running:
            return survived, count
        if len(running) >= args.jobs or not mutant:
            pid, passed = wait(running, args.limit)
            _, line, before, after = running.pop(pid)
            if passed:
                survived += 1
                print(f"  {file}:{line}: {before}  ->  {after}", flush=True)


if __name__ == "__main__":
    main()
