"""A translation's page: the trace's numbers, silent, and fit for narrow screens, dark rooms and screen readers."""

import re

import numpy as np
import pytest

from numgpt import Transformer, TransformerConfig
from numgpt.cli import main
from numgpt.explain.translation import translation_page
from numgpt.gradcheck import with_random_weights
from numgpt.tokenizer.marks import train_bpe_with_marks
from numgpt.tracing.translation import trace_translation

SENTENCE, TRANSLATION = "a cat <b> & sat", "un chat assis"


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe_with_marks(f"{SENTENCE} {TRANSLATION} " * 3, 270, None)


@pytest.fixture(scope="module")
def model(tokenizer):
    config = TransformerConfig(tokenizer.n_vocab, 12, 3, 10, 2, norm_first=True, final_norm=True)
    return with_random_weights(Transformer(config, dtype="float64"), np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(model, tokenizer):
    return trace_translation(model, tokenizer.encode(SENTENCE), tokenizer.encode(TRANSLATION))


@pytest.fixture(scope="module")
def page(found, tokenizer):
    return translation_page(found, lambda token: tokenizer.decode([token]), "tiny")


@pytest.fixture
def folder(model, tokenizer, tmp_path):
    model.save(tmp_path / "model")
    tokenizer.save(tmp_path / "model")
    return str(tmp_path / "model")


def test_the_page_has_the_numbers_of_the_trace(page, found):
    assert f"{found.loss:.4f} nats" in page
    for nll in found.nll:
        assert f"<td>{nll:.3f}</td>" in page
    cells = [float(x) for x in re.findall(r'title="(-?[0-9.]+)"', page)]
    for p in (found.reading, found.crossing, found.writing, found.needs, found.follows):
        assert {f"{x:.4f}" for x in np.ravel(p)} <= {f"{x:.4f}" for x in cells} | {"-0.0000", "0.0000"}


def test_markup_in_a_text_is_text(page):
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_the_definitions_stand_in_it_as_they_run(page):
    assert "dq = ds @ k * scale" in page
    assert "complex step" in page


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_in_a_browser(opened, serious, page, width, scheme):
    shown = opened(page, width, scheme)
    shown.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(shown) == []


def test_the_command_writes_it(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    words = ["explain", SENTENCE, "--model", folder, "--target", TRANSLATION, "--dtype", "float64", "-o", str(out)]
    assert main(words) == 0
    assert "Cross-attention" in out.read_text("utf-8")
    assert main(["explain", SENTENCE, "--model", folder, "-o", str(out)]) == 0


@pytest.mark.parametrize(
    "option",
    [
        ["--layers", "0"],
        ["--heads", "0.1"],
        ["--text"],
        ["--compare", "shakespeare"],
        ["--steps", "2"],
        ["--language", "de"],
    ],
)
def test_what_is_for_a_gpt_is_refused(folder, tmp_path, capsys, option):
    out = tmp_path / "page.html"
    assert main(["explain", SENTENCE, "--model", folder, "-o", str(out), *option]) == 2
    assert f"{option[0]} is for a GPT" in capsys.readouterr().err
    assert not out.exists()


def test_an_empty_text_is_refused(folder, tmp_path, capsys):
    assert main(["explain", " ", "--model", folder, "-o", str(tmp_path / "page.html")]) == 2
    assert "the text is empty" in capsys.readouterr().err
