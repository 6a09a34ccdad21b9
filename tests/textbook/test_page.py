"""The page: every definition with its proof, nothing that the source does not say, and fit for every reader."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import numgpt
from numgpt import textbook
from numgpt.cli import main
from numgpt.textbook import chapters, proofs
from numgpt.textbook.chapters import read_chapter
from numgpt.textbook.page import PARTS, page

PACKAGE = Path(numgpt.__file__).parent
MODULES = [module for part in PARTS.values() for module, _ in part]
NO_CHAPTER = {"__init__", "base", "inputs"}


@pytest.fixture(scope="module")
def book():
    return page()


class Reader(HTMLParser):
    """ids, links, and the tables of code and of proof."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.proven, self.addresses, self.rows = [], [], {}, [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        self.addresses += [value for name, value in attributes if name in ("src", "srcset", "data", "action", "poster")]
        if tag == "table":
            self.names = found.get("data-definitions", "").split()
        if tag == "td":
            for name in self.names:
                self.proven[name] = self.proven.get(name, 0) + 1


def definitions():
    """The names of all functions marked @definition."""
    for path in [*(PACKAGE / "layers").glob("*.py"), PACKAGE / "training" / "optimizer.py"]:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and chapters.is_definition(node):
                yield node.name


def test_every_layer_file_is_a_chapter():
    files = {path.stem for path in (PACKAGE / "layers").glob("*.py")} - NO_CHAPTER
    assert files <= {module.rpartition(".")[2] for module in MODULES}


def test_every_definition_is_there_with_rows_of_its_proof(book):
    reader = Reader(book)
    names = set(definitions())
    assert len(names) > 20
    assert {f"code-{name}" for name in names} <= set(reader.ids)
    assert {name for name in names if reader.proven.get(name, 0) < 7} == set()
    assert "<td>wrong" not in book


def test_every_line_of_every_definition_is_there_word_for_word(book):
    shown = re.findall(r'<td class="code"><code[^>]*>(.*?)</code></td>', book)
    shown = {
        re.sub(r"</?[bi]>", "", line).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for line in shown
    }
    for path in (PACKAGE / "layers").glob("*.py"):
        source = path.read_text("utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and chapters.is_definition(node):
                body = node.body[ast.get_docstring(node) is not None :]
                lines = source.splitlines()[body[0].lineno - 1 : node.end_lineno]
                assert {line.strip() for line in lines} <= shown, node.name


def test_a_changed_definition_changes_the_book(book, monkeypatch):
    right = textbook.read

    def edited(module):
        source, _ = right(module)
        source = source.replace("xhat = (x - mu) * rstd\n    return", "xhat = rstd * (x - mu)\n    return")
        source = source.replace("    mu   = mean_C(x) ", "    mu   = sum_C(x)/C ")
        return source, ast.parse(source)

    monkeypatch.setattr(chapters, "read", edited)
    changed = page()
    assert "xhat = rstd * (x - mu)" in changed
    assert "xhat = (x - mu) * rstd</code>" in book
    assert "xhat = (x - mu) * rstd</code>" not in changed
    different = [line for line, before in zip(changed.split("\n"), book.split("\n"), strict=True) if line != before]
    assert len(different) == 3  # the line, and the formula where it is derived and where it is computed


def test_a_wrong_definition_is_said_to_be_wrong(monkeypatch):
    from numgpt.gradcheck import cases

    monkeypatch.setattr(cases, "gelu_backward", lambda dy, x: dy)
    monkeypatch.setattr(proofs, "measured", proofs.measured.__wrapped__)
    (found,) = proofs.proofs_of("gelu")
    assert [row.ok for row in found.rows] == [False]


def test_lines_stand_beside_the_formulas_that_they_compute():
    def beside(module, name, layer=""):
        (definition,) = [d for d in read_chapter(module, layer).definitions if d.name == name]
        return {
            line.code.strip(): [f.text.partition(" ")[0] for f in line.formulas]
            for line in definition.lines
            if line.formulas
        }

    assert beside("numgpt.layers.attention", "attention_backward") == {
        "dv = drop(p, dropped, p_drop).swapaxes(-1, -2) @ do": ["dv"],
        "dp = drop(do @ v.swapaxes(-1, -2), dropped, p_drop)": ["dp"],
        "ds = p * (dp - (dp * p).sum(-1, keepdims=True))": ["ds"],
        "dq = ds @ k * scale": ["dq"],
        "dk = ds.swapaxes(-1, -2) @ q * scale": ["dk"],
    }
    assert beside("numgpt.layers.embedding", "embedding_backward") == {"dweight[i] += row": ["dweight[i,"]}
    assert beside("numgpt.layers.embedding", "tied_head_backward")["return dlogits @ weight"] == ["dx[n,c]", "dx"]
    assert beside("numgpt.model.block", "Block.forward", "Block") == {
        "h = x + self.attn.forward(self.ln_1.forward(x), cache)": ["h"],
        "return h + self.mlp.forward(self.ln_2.forward(h))": ["y"],
    }


def test_links_lead_somewhere_and_nothing_is_loaded(book):
    reader = Reader(book)
    assert len(reader.ids) == len(set(reader.ids))
    assert {link for link in reader.links if link.removeprefix("#") not in reader.ids} == set()
    assert reader.addresses == []
    assert "<script" not in book
    assert "default-src 'none'" in book


def test_the_command_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("numgpt.textbook.page.page", lambda: "the book")
    assert main(["textbook", "--html", "-o", str(tmp_path / "book.html")]) == 0
    assert (tmp_path / "book.html").read_text("utf-8") == "the book"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_window(book, opened, width):
    shown = opened(book, width)
    assert shown.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing_serious(opened, serious, width, scheme, monkeypatch):
    """In two chapters that have all kinds of parts; in all of them axe-core takes half a minute."""
    chapters = [("numgpt.layers.attention", "Attention"), ("numgpt.layers.gelu_erf", "")]
    monkeypatch.setattr("numgpt.textbook.page.PARTS", {"Some": chapters})
    assert serious(opened(page(), width, scheme)) == []


def test_formulas_are_laid_out_as_mathematics(book, opened):
    """A fraction is higher than its numerator and a letter of it leads to the glossary."""
    shown = opened(book)
    heights = shown.evaluate(
        "[...document.querySelectorAll('#gelu mfrac')].map((f) => [f.getBoundingClientRect().height,"
        " f.firstElementChild.getBoundingClientRect().height])"
    )
    assert heights
    assert all(whole > above + 10 for whole, above in heights)
    shown.locator("#layernorm .equation a").first.click()
    assert shown.evaluate("document.querySelector(':target').id") == "layernorm-mu"


def test_it_prints(book, opened):
    printed = opened(book).pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 15 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 60
