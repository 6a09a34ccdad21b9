"""The book that `numgpt textbook` prints: one file that runs by itself, and computes what the package computes."""

import ast
import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numgpt
from numgpt import textbook as maker
from numgpt.cli import main
from numgpt.layers.dropout import draw_dropped
from numgpt.textbook import chapter, textbook

CONFIG = numgpt.GPTConfig(n_vocab=7, n_ctx=6, n_embd=12, n_head=3, n_layer=2)
IDS = np.array([[0, 3, 3, 1, 5], [3, 2, 0, 6, 3]])
TARGETS = np.array([[3, 3, 1, 5, 2], [2, -1, 6, 3, 4]])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The book as a file of its own."""
    path = tmp_path_factory.mktemp("book") / "gpt2.py"
    path.write_text(textbook(), "utf-8")
    return path


@pytest.fixture(scope="module")
def book(path):
    """The book as a module."""
    spec = importlib.util.spec_from_file_location("gpt2_book", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["fast", "plain"])
def model(request):
    """A model of numgpt's with weights of order one, run by either kind of kernels."""
    model = numgpt.GPT(CONFIG, dtype="float64")
    fill_with_order_one(model)
    with numgpt.use_kernels(request.param):
        yield model


def fill_with_order_one(model):
    rng = np.random.default_rng(1)
    for name, value, _ in model.named_parameters():
        value[...] = rng.standard_normal(value.shape) / math.sqrt(value.shape[0] if value.ndim == 2 else 1)
        if "ln_" in name and name.endswith("weight"):
            value += 1


def twin(book, model, **settings):
    """The book's model with copies of the same parameters."""
    config = book.GPTConfig(*(getattr(model.config, field) for field in book.GPTConfig._fields))
    return book.GPT(config, {name: value.copy() for name, value, _ in model.named_parameters()}, **settings)


def assert_equal_gradients(theirs, model):
    gradients = {name: gradient for name, _, gradient in model.named_parameters()}
    assert theirs.g.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert np.abs(theirs.g[name] - gradient).max() <= 1e-12 * max(1, np.abs(gradient).max()), name


def run(*arguments, cwd):
    """The lines that a run of the book prints in the folder `cwd`, of whose modules it sees none."""
    command = [sys.executable, "-I", *map(str, arguments)]
    return subprocess.run(command, check=True, cwd=cwd, capture_output=True, text=True).stdout.splitlines()


def test_loss_and_every_gradient_equal_the_package_s(book, model):
    theirs = twin(book, model)
    for _ in range(2):  # gradients add up
        assert theirs.loss(IDS, TARGETS) == pytest.approx(model.loss(IDS, TARGETS), rel=0, abs=1e-12)
        theirs.backward()
        model.backward()
    assert theirs.kept == []
    assert_equal_gradients(theirs, model)


def test_with_dropout_too(book):
    model = numgpt.GPT(numgpt.GPTConfig(7, 6, 12, 3, 2, dropout=0.3), dtype="float64").train()
    fill_with_order_one(model)
    theirs, rng = twin(book, model), np.random.default_rng(2)
    theirs.draw = lambda shape: draw_dropped(rng, shape, 0.3, np.empty(0))
    model.rng.bit_generator.state = rng.bit_generator.state
    with numgpt.use_kernels("plain"):
        assert theirs.loss(IDS, TARGETS) == pytest.approx(model.loss(IDS, TARGETS), rel=0, abs=1e-12)
        model.backward()
    theirs.backward()
    assert_equal_gradients(theirs, model)


def test_its_own_dropout_drops_that_share(book):
    theirs = twin(book, numgpt.GPT(numgpt.GPTConfig(7, 6, 12, 3, 2, dropout=0.3)), rng=np.random.default_rng(0))
    assert theirs.draw((100, 1000)).mean() == pytest.approx(0.3, abs=0.01)
    assert theirs.loss(IDS, TARGETS) != theirs.loss(IDS, TARGETS)


def test_three_steps_of_adamw(book):
    """Plain kernels only: the gradient of the keys' bias is nothing but rounding, and AdamW makes it large."""
    model = numgpt.GPT(CONFIG, dtype="float64")
    fill_with_order_one(model)
    theirs = twin(book, model)
    optimizer = numgpt.AdamW(model, lr=0.01, betas=(0.8, 0.95), weight_decay=0.1)
    book_optimizer = book.AdamW(theirs)
    with numgpt.use_kernels("plain"):
        for _ in range(3):
            assert theirs.loss(IDS, TARGETS) == pytest.approx(model.loss(IDS, TARGETS), rel=0, abs=1e-12)
            theirs.backward()
            model.zero_grad()
            model.backward()
            book_optimizer.step(lr=0.01, beta1=0.8, beta2=0.95, weight_decay=0.1)
            optimizer.step()
    for name, value, _ in model.named_parameters():
        assert np.abs(theirs.p[name] - value).max() <= 1e-12, name


def test_starting_weights_have_the_names_shapes_and_sizes_of_the_package_s(book):
    model = numgpt.GPT(numgpt.GPTConfig(50, 40, 36, 3, 8))
    weights = book.starting_weights(book.GPTConfig(50, 40, 36, 3, 8), np.random.default_rng(0))
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value, _ in model.named_parameters()
    }
    for name, value, _ in model.named_parameters():
        if value.ndim == 2:
            assert weights[name].std() == pytest.approx(value.std(), rel=0.1), name
        else:
            assert np.array_equal(weights[name], value), name


def test_it_reads_a_real_safetensors_file(book, golden):
    expected = np.load(golden / "tiny-gpt2/expected.npz")
    model = book.load(golden / "tiny-gpt2/hf", "float64")
    assert np.abs(model.logits(expected["ids"]) - expected["logits"]).max() < 1e-10
    new = expected["greedy"].shape[1] - expected["prompts"].shape[1]
    for prompt, continued in zip(expected["prompts"].tolist(), expected["greedy"].tolist(), strict=True):
        assert book.greedy(model, prompt, new) == continued


def test_it_continues_ids_on_the_command_line(path, golden, tmp_path):
    expected = np.load(golden / "tiny-gpt2/expected.npz")
    prompt, continued = expected["prompts"][0].tolist(), expected["greedy"][0].tolist()
    (line,) = run(path, golden / "tiny-gpt2/hf", *prompt, cwd=tmp_path)
    found = [int(i) for i in line.split()]
    assert found[: len(continued)] == continued[: len(found)]
    assert len(found) > len(prompt)


def test_it_learns_its_line_by_heart(path, tmp_path):
    *table, line = run(path, cwd=tmp_path)
    losses = [float(row.split()[-1]) for row in table]
    assert len(losses) > 5
    assert losses[0] > 2.5
    assert losses[-1] < 0.1
    assert line.startswith("To be, or not to be, that is the question")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_finds_at_most_400_lines_that_fit_a_page():
    lines = textbook().splitlines()
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 120
    assert textbook().isascii()
    assert not any(line.endswith(" ") for line in lines)


def test_it_needs_numpy_alone():
    tree = ast.parse(textbook())
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert modules - sys.stdlib_module_names == {"numpy"}


def test_the_package_leaves_no_traces_in_it():
    header, _, text = textbook().partition('"""\n\nimport')
    assert "`numgpt textbook > gpt2.py`" in header
    for trace in ("numgpt", "Array", "KVCache", "kernel", "InputError", "definition"):
        assert trace not in text


def test_it_is_the_same_every_time():
    code = "from numgpt.textbook import textbook; import sys; sys.stdout.write(textbook())"
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0].decode() == textbook()


def test_definitions_are_there_word_for_word():
    def bodies(text):
        functions = {node.name: node.body for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
        plain = {name: body[isinstance(body[0], ast.Expr) :] for name, body in functions.items()}  # no docstring
        return {name: ast.dump(ast.Module(body, [])) for name, body in plain.items()}

    package = Path(numgpt.__file__).parent
    theirs = bodies(textbook())
    copied = set()
    for file in (*package.glob("layers/*.py"), package / "training/optimizer.py"):
        for name, body in bodies(file.read_text("utf-8")).items():
            if name in theirs:
                assert theirs[name] == body, name
                copied.add(name)
    glue = {"starting_weights", "greedy", "read_safetensors", "load", "main"}
    assert theirs.keys() - copied == glue


def test_a_missing_name_is_one_clear_error():
    with pytest.raises(LookupError, match=r"numgpt\.layers\.gelu has no 'gelu_forward'"):
        chapter("numgpt.layers.gelu", ["gelu", "gelu_forward"])


def test_a_missing_paragraph_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(maker.LEFT_OUT, "numgpt.layers.gelu", "Once upon a time")
    with pytest.raises(LookupError, match=r"numgpt\.layers\.gelu: no paragraph .* 'Once upon a time'"):
        textbook()


def test_a_helper_from_elsewhere_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(
        maker, "chapter", lambda module, names: chapter(module, names) if "dropout" not in module else ""
    )
    with pytest.raises(LookupError, match="does not define: drop$"):
        textbook()


def test_the_command_prints_it(capsys):
    assert main(["textbook"]) == 0
    assert capsys.readouterr().out == textbook()


def test_the_command_writes_it(tmp_path, capsys):
    assert main(["textbook", "-o", str(tmp_path / "gpt2.py")]) == 0
    assert (tmp_path / "gpt2.py").read_text("utf-8") == textbook()
    assert capsys.readouterr().out == ""
    assert [file.name for file in tmp_path.iterdir()] == ["gpt2.py"]


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["textbook", "-o", str(tmp_path / "nowhere" / "gpt2.py")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
