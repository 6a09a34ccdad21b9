"""What the check of the site's links finds, and what its reference holds. That the site can be made, .ci/run shows."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from tools.check_site import problems

REFERENCE = Path(__file__).parents[2] / "docs" / "site" / "reference.md"
PARTS = ["layers", "model", "tokenizer", "training", "generation", "tracing", "gradcheck", "explain", "checkpoint"]

GOOD = '<h1 id="top-of-it">x</h1><a href="b.html#place">b</a><a href="#top-of-it">up</a><a href="https://example.org">out</a>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(GOOD, "utf-8")
    (tmp_path / "b.html").write_text('<p id="place"><img src="c.png">', "utf-8")
    (tmp_path / "c.png").touch()
    return tmp_path


def test_a_whole_site_has_no_problems(site):
    assert problems(site) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<a href="c.html">', "there is no c.html"),
        ('<a href="b.html#plaice">', "there is no anchor b.html#plaice"),
        ('<img src="d.png">', "there is no d.png"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link href="//example.org/font.css" rel="stylesheet">', "loads //example.org/font.css"),
    ],
)
def test_what_is_wrong_is_named(site, text, problem):
    (site / "a.html").write_text(text, "utf-8")
    (found,) = problems(site)
    assert problem in found


@pytest.mark.parametrize("package", ["numgpt", *(f"numgpt.{part}" for part in PARTS)])
def test_every_public_name_is_in_the_reference_and_says_what_it_is(package):
    listed = re.findall(r"^\.\. auto\w+:: (\S+)$", REFERENCE.read_text("utf-8"), re.MULTILINE)
    for name in import_module(package).__all__:
        thing = getattr(import_module(package), name)
        if not callable(thing):
            continue
        names = {package, f"{package}.{name}", f"numgpt.{name}", thing.__module__}
        assert names & set(listed), f"{package}.{name} is missing"
        assert thing.__doc__, f"{package}.{name} has no docstring"
