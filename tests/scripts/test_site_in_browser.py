"""The site that scripts/site made, in a browser: fit for readers of all kinds, no wider than the window, and silent."""

from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "build" / "site"
PAGES = [
    "index.html",
    "docs/course/05-attention-backward.html",
    "docs/performance.html",
    "source/numgpt/layers/attention.py.html",
]
pytestmark = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no build/site: scripts/site makes it")


@pytest.fixture
def opened(browser):
    """A function: a page's address in the site -> the page. Whatever it asks another machine for is a failure."""
    asked, contexts = [], []

    def open_page(address, width, scheme):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((SITE / address).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(opened, serious, address, width, scheme):
    page = opened(address, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert serious(page) == []
