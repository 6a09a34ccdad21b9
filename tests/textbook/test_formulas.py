"""The language of the docstrings' formulas: every one is typeset, and what is none is an error."""

import re
from xml.etree import ElementTree

import pytest

from numgpt.textbook.chapters import Formula, read_chapter
from numgpt.textbook.formulas import FormulaError, equation, mathml
from numgpt.textbook.glossary import EVERYWHERE, OF_CHAPTERS, entries
from numgpt.textbook.page import PARTS

CHAPTERS = [chapter for part in PARTS.values() for chapter in part]
LETTERS = "B T C x y g a b c p q k v t u w z e i n W N m sum sqrt mean exp log heads weight weight_decay eps mu xhat"


def known(name):
    """A small glossary."""
    return f"at-{name}" if name in LETTERS.split() or name[1:] in LETTERS.split() else None


def said(text):
    """A formula in MathML without links and spacing, as short as can be."""
    math, remark = mathml(text, known)
    assert ElementTree.fromstring(math) is not None
    math = re.sub(r"</?(a|math|mrow|mi|mn|mo)( [^>]*)?>|<mspace[^>]*>", "", math)
    math = re.sub(r' (accent|stretchy)="[^"]*"', "", math)
    return math + (f" | {remark}" if remark else "")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("y = x @ weight + b", "y=xweight+b"),
        ("y = x * g", "y=x⊙g"),
        ("3*5", "3·5"),
        ("1 / sqrt(x + eps)", "<mfrac>1<msqrt>x+ε</msqrt></mfrac>"),
        ("-1/N sum_n log p", "−<mfrac>1N</mfrac><munder>∑n</munder>logp"),
        ("x (1 + t) / 2", "<mfrac>x(1+t)2</mfrac>"),
        ("2 z^3/3", "2<mfrac><msup>z3</msup>3</mfrac>"),
        ("q k^T", "q<msup>k⊤</msup>"),
        ("x[n,i]", "<msub>xn,i</msub>"),
        ("y[..., :]", "<msub>y⋯,:</msub>"),
        ("p - [v = t[n]]", "p−[v=<msub>tn</msub>]"),
        ("10000^(2i/C)", "<msup>10000<mfrac>2iC</mfrac></msup>"),
        ("mean_C(g)", "<msub>meanC</msub>&#x2061;(g)"),
        ("xhat_i", "<msub><mover>x^</mover>i</msub>"),
        ("d xhat_i / d x_j", "<mfrac>d<msub><mover>x^</mover>i</msub>d<msub>xj</msub></mfrac>"),
        ("q, k = heads(x)", "q,k=heads&#x2061;(x)"),
        ("x = dy where x > 0, else 0", "x=dy | where x > 0, else 0"),
        (
            "dweight += sum over the places where t = i of dy",
            "dweight+=<munder>∑<mtext>the places where t = i </mtext></munder>dy",
        ),
        ("= 1 - weight_decay w", "=1−weight_decayw"),
    ],
)
def test_it_is_typeset(text, shown):
    assert said(text) == shown


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("y = unheard", "'unheard' is not in the glossary"),
        ("y = (x + 1", r"\) is missing"),
        ("y = x +", "is missing"),
        ("y = x ; z", "is neither formula nor a remark"),
        ("y = x! z", "is neither formula nor a remark"),
        ("", "is missing"),
    ],
)
def test_what_is_no_formula_is_an_error(text, says):
    with pytest.raises(FormulaError, match=says):
        mathml(text, known)


def test_an_equation_in_a_sentence_ends_with_its_last_symbol():
    text = "g = dy * weight is the gradient at xhat, and"
    math, length = equation(text, known)
    assert text[:length] == "g = dy * weight"
    assert ElementTree.fromstring(math).tag == "math"
    with pytest.raises(FormulaError):
        equation("the gradient", known)


@pytest.mark.parametrize(("module", "layer"), CHAPTERS)
def test_every_formula_of_every_layer_is_typeset(module, layer):
    chapter = read_chapter(module, layer)
    formulas = [f for p in chapter.paragraphs for line in p.lines for f in line if isinstance(f, Formula)]
    assert formulas
    for formula in formulas:
        math, _ = mathml(formula.text, entries(chapter.key))
        ElementTree.fromstring(math)


def test_the_glossaries_have_no_letter_that_no_formula_uses():
    used = {}
    for module, layer in CHAPTERS:
        chapter = read_chapter(module, layer)
        formulas = [f.text for p in chapter.paragraphs for line in p.lines for f in line if isinstance(f, Formula)]
        text = " ".join([*formulas, *(p.text for p in chapter.paragraphs)])
        used[chapter.key] = set(re.findall(r"(?<![\w.])[A-Za-z]\w*'?(?:\.\w+)?", text)) | {
            part for word in re.findall(r"\w+", text) for part in (word.partition("_")[0], word.removeprefix("d"))
        }
    for key, letters in OF_CHAPTERS.items():
        assert set(letters) <= used[key], key
    assert set(EVERYWHERE) <= set().union(*used.values())
