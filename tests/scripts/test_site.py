"""What the check of the site's links finds. (That the site can be made without a warning, .ci/run shows.)"""

import pytest

from tools.check_site import problems

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
        ('<a href="b.html#plaice">', "there is no place b.html#plaice"),
        ('<img src="d.png">', "there is no d.png"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link href="//example.org/font.css" rel="stylesheet">', "loads //example.org/font.css"),
    ],
)
def test_what_is_wrong_is_named(site, text, problem):
    (site / "a.html").write_text(text, "utf-8")
    (found,) = problems(site)
    assert problem in found
