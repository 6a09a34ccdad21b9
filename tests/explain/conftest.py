"""A model with merges that answers at once, a text's numbers, and a browser where there is one."""

import shutil

import pytest

import numgpt
from numgpt import explain
from numgpt.gradcheck import with_random_weights

SHAPE = numgpt.GPTConfig(n_vocab=1024, n_ctx=24, n_embd=24, n_head=3, n_layer=2)


@pytest.fixture(scope="session")
def tokenizer():
    """The bundled model's."""
    return numgpt.load("shakespeare")[1]


@pytest.fixture
def model():
    """A small model of weights of order one, float64, for the bundled vocabulary."""
    import numpy as np

    model = with_random_weights(numgpt.GPT(SHAPE, dtype="float64"), np.random.default_rng(0))
    model.values *= 0.4
    return model


@pytest.fixture
def gathered(model, tokenizer):
    """A function: prompt and what `read_subject` and `gather` take -> the numbers."""

    def gather(prompt, target=None, layers=None, heads=None, **options):
        return explain.gather(explain.read_subject(model, tokenizer, prompt, target, layers, heads), "tiny", **options)

    return gather


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium, driven by playwright; tests are skipped where one of the two is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'numgpt[browser]'")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function: HTML -> the page, opened from a file. Whatever it asks for or complains of is a failure."""
    complaints, contexts = [], []

    def open_page(text, width=1280, scheme="light"):
        path = tmp_path / "page.html"
        path.write_text(text, "utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: None if request.url == path.as_uri() else complaints.append(request.url))
        page.goto(path.as_uri())
        assert page.get_attribute("html", "data-ready") == "yes", complaints
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
