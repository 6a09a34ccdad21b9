"""How a formula's code is chosen, and that what may be chosen fits: kernels are found by name alone."""

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from definition_cases import CASES
from numgpt import GPT, GPTConfig, InputError, kernels, layers, use_kernels
from numgpt.kernels import cpu
from numgpt.layers import LayerNorm
from numgpt.layers.gelu import gelu
from numgpt.layers.loss import cross_entropy

FOLDER = Path(kernels.__file__).parent
CONFIG = GPTConfig(n_vocab=11, n_ctx=8, n_embd=12, n_head=3, n_layer=2)


def definitions():
    """(file, name) -> the definition, of all in layers/ and of the optimizer's."""
    names = [f"numgpt.layers.{module.name}" for module in pkgutil.iter_modules(layers.__path__)]
    found = {}
    for module in map(importlib.import_module, [*names, "numgpt.training.optimizer"]):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__code__ is gelu.__code__ and function.__module__ == module.__name__:  # that of `definition`
                found[module.__name__.rpartition(".")[2], name] = function
    return found


def functions(path):
    """name -> the syntax tree of each function of a file, which may need CuPy to be imported."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


KERNELS = {
    (path.parent.name, path.stem, name): function
    for path in sorted(FOLDER.glob("*pu/*.py"))
    for name, function in functions(path).items()
    if (path.stem, name) in definitions()
}


def test_there_are_kernels_on_both_devices():
    assert {device for device, _, _ in KERNELS} == {"cpu", "gpu"}
    assert len(KERNELS) > 20


@pytest.mark.parametrize(("device", "file", "name"), KERNELS)
def test_a_kernel_takes_what_its_definition_takes(device, file, name):
    arguments = KERNELS[device, file, name].args
    expected = inspect.signature(definitions()[file, name]).parameters
    assert not [*arguments.posonlyargs, *arguments.kwonlyargs]
    assert arguments.vararg is arguments.kwarg is None
    assert [argument.arg for argument in arguments.args] == list(expected)
    defaults = [parameter.default for parameter in expected.values() if parameter.default is not parameter.empty]
    assert [ast.literal_eval(default) for default in arguments.defaults] == defaults


FOR_OTHERS = {"cut_for"}  # what processes that share work call


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_a_kernel_with_no_definition_is_found(device):
    """It has a wrong name, and would never run: no other kernel calls it, and no definition is its namesake."""
    files = {file for file, _ in definitions()}
    paths = sorted((FOLDER / device).glob("*.py"))
    trees = [ast.parse(path.read_text("utf-8")) for path in [*paths, FOLDER / "__init__.py"]]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    called = {getattr(node, "id", getattr(node, "attr", None)) for node in nodes} | FOR_OTHERS
    for path in paths:
        for name in functions(path):
            assert name in called or (path.stem in files and (path.stem, name) in definitions()), f"{path}: {name}"


def test_every_definition_is_compared_with_its_kernels():
    """But for the masks of dropout, which the devices draw each in its own way."""
    names = {name.removesuffix("_backward") for _, name in definitions()} - {"draw_dropped"}
    assert {case.partition(" ")[0] for case in CASES} == names


@pytest.fixture
def marked(monkeypatch):
    """The kernel of `gelu` gives itself away."""
    monkeypatch.setattr(importlib.import_module("numgpt.kernels.cpu.gelu"), "gelu", lambda x: "kernel")
    kernels.namesake.cache_clear()
    yield
    kernels.namesake.cache_clear()


def test_what_runs(marked):
    x = np.ones(3, np.float32)
    with use_kernels("fast"):
        assert gelu(x) == "kernel"
        with use_kernels("plain"):
            assert gelu(x).shape == (3,)
            assert kernels.kernels_in_use() == "plain"
        assert gelu(x) == "kernel"
        assert gelu(x.astype(complex)).shape == (3,), "kernels are for real numbers"
        assert cross_entropy(x[None], np.array([1]))[0] == pytest.approx(np.log(3)), "it has no kernel"


def test_the_switch_holds_until_it_is_set_again(marked):
    before = kernels.kernels_in_use()
    try:
        use_kernels("plain")
        assert kernels.kernels_in_use() == "plain"
        use_kernels("fast")
        assert gelu(np.ones(3)) == "kernel"
    finally:
        use_kernels(before)


def test_another_word():
    with pytest.raises(InputError, match=r"^kernels must be 'fast' or 'plain', not 'slow'$"):
        use_kernels("slow")


def test_a_kernel_file_that_lacks_something_is_not_a_missing_kernel(monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError("No module named 'cupyx'", name="cupyx")

    monkeypatch.setattr(kernels, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError, match="cupyx"):
        kernels.namesake.__wrapped__("cpu", "gelu", "gelu")


@pytest.mark.parametrize(("first", "then"), [("plain", "fast"), ("fast", "plain")])
def test_forward_and_backward_are_of_one_kind(first, then):
    layer, x = LayerNorm(4), np.ones((2, 4), np.float32)
    message = rf"^LayerNorm.forward\(\) ran with {first} kernels and backward\(\) with {then} ones: call use_kernels.*$"
    with use_kernels(first):
        y = layer.forward(x)
    with use_kernels(then), pytest.raises(RuntimeError, match=message) as error:
        layer.backward(y)
    assert "\n" not in str(error.value)
    with use_kernels(first), pytest.raises(RuntimeError, match="no forward pass to go back from"):
        layer.backward(y)  # a whole step has to be made again, of one kind


@pytest.mark.parametrize(("first", "then"), [("plain", "fast"), ("fast", "plain")])
def test_so_are_those_of_a_model(first, then):
    model, ids = GPT(CONFIG), np.array([[1, 2, 3]])
    with use_kernels(first):
        model.loss(ids, ids)
    with use_kernels(then), pytest.raises(RuntimeError, match="call use_kernels"):
        model.backward()
    with use_kernels(then):
        model.loss(ids, ids)
        model.backward()


def python(code, kind):
    environment = os.environ | {"NUMGPT_KERNELS": kind}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


WHOLE_LIFE = """
import sys
import numpy as np, numgpt
from numgpt.training import clip_gradients
model, tokenizer = numgpt.load("shakespeare", offline=True)
ids = np.array([tokenizer.encode("To be, or not to be")])
model.train().loss(ids[:, :-1], ids[:, 1:])
model.backward()
clip_gradients(model, 1.0)
numgpt.AdamW(model).step()
numgpt.generate(model, ids, 3, seed=1)
numgpt.generate(model, [[1, 2], [3]], 3, temperature=0)
print(*(name for name in sys.modules if name.startswith("numgpt.kernels.")))
"""


@pytest.mark.parametrize("kind", ["plain", "fast"])
def test_a_plain_program_imports_no_kernel(kind):
    done = python(WHOLE_LIFE, kind)
    assert done.stderr == ""
    imported = done.stdout.split()
    assert imported == [] if kind == "plain" else f"{cpu.__name__}.attention" in imported


def test_a_wrong_environment_is_one_line():
    done = python("import sys; from numgpt.cli import main; sys.exit(main(['generate', 'x']))", "nonsense")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "numgpt: NUMGPT_KERNELS must be 'fast' or 'plain', not 'nonsense'\n"


def test_a_wrong_environment_is_told_to_python_too():
    done = python("import numgpt; numgpt.GPT(numgpt.GPTConfig(n_layer=1)).forward([[1]])", "Plain")
    assert done.stderr.splitlines()[-1].endswith("InputError: NUMGPT_KERNELS must be 'fast' or 'plain', not 'Plain'")


def test_no_environment_is_fast():
    code = "from numgpt.kernels import kernels_in_use; print(kernels_in_use())"
    assert python(code, "").stdout == "fast\n"
    assert python(code, "fast").stdout == "fast\n"
    assert python(code, "plain").stdout == "plain\n"
