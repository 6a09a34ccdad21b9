"""A translation's page: the trace's numbers, silent, and fit for narrow screens, dark rooms and screen readers."""

import html
import re

import numpy as np
import pytest

from numgpt import Transformer, TransformerConfig
from numgpt.cli import main
from numgpt.explain.translation import shown, translation_page
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


def test_the_loss_is_the_trace_s(page, found):
    assert f"{found.loss:.4f} nats" in page


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("encoder", lambda found: found.reading),
        ("cross", lambda found: [found.crossing[-1].mean(0), *found.crossing]),
        ("decoder", lambda found: found.writing),
        ("backward", lambda found: [found.needs, found.follows]),
    ],
)
def test_every_number_stands_in_its_place(page, found, part, expected):
    cells = re.findall(r'<td class="([pm])[0-9]+" title="(-?[0-9.]+)"', section(page, part))
    numbers = np.concatenate([np.ravel(p) for p in expected(found)])
    assert [number for _, number in cells] == [f"{x:.4f}" for x in numbers]
    assert [kind for kind, _ in cells] == ["m" if x < 0 else "p" for x in numbers]


def test_rows_are_what_is_written_and_columns_what_is_read(page, found, tokenizer):
    """Every table's labels, columns before rows; what is written stands a place after what the decoder reads."""
    read, written = ([shown(tokenizer.decode([i])) for i in ids] for ids in (found.source, found.written))
    before = ["<|begin|>", *written[:-1]]
    assert labels(section(page, "encoder")) == [read + read] * 6
    assert labels(section(page, "cross")) == [read + written] * 7
    assert labels(section(page, "decoder")) == [before + written] * 6
    assert labels(section(page, "backward")) == [read + written, before + written, read]


def test_what_could_have_come(page, found, tokenizer):
    lines = rows(section(page, "choosing"))
    for token, logp, nll, line in zip(found.written, found.logp, found.nll, lines, strict=True):
        likeliest = sorted(range(len(logp)), key=lambda i: -logp[i])[:5]
        others = ", ".join(f"{shown(tokenizer.decode([i]))} {np.exp(logp[i]):.3f}" for i in likeliest)
        p = np.exp(logp[token])
        assert line == [shown(tokenizer.decode([token])), f"{p:.3f}", f"{nll:.3f}", others]


def test_what_each_block_sends_to_the_memory(page, found):
    lines = rows(section(page, "backward"))[-2:]
    assert lines == [[f"block {i}", *(f"{x:.4f}" for x in row)] for i, row in enumerate(found.dmemory)]


def section(page, key):
    return re.search(rf'<section id="{key}">(.*?)</section>', page, re.DOTALL)[1]


def labels(part):
    """Of each table, the texts of its <th>."""
    return [
        [html.unescape(text) for text in re.findall(r"<th scope=\w+>(.*?)</th>", table)]
        for table in re.findall(r"<table>.*?</table>", part)
    ]


def rows(part):
    """The texts of the <td> without a colour, a list for each row that has some."""
    lines = [
        re.findall(r"<td>(.*?)</td>", line) for line in re.findall(r"<tr>(.*?)</tr>", part.replace("<td></td>", ""))
    ]
    return [[html.unescape(text) for text in line] for line in lines if line]


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
