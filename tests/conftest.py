"""What every test may ask for."""

import shutil
import signal
from pathlib import Path

import pytest

import reference

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of oracles and texts beside the checkout; a test that needs it is skipped where it is missing."""
    if not (SHARED / "oracles").is_dir():
        pytest.skip("the folder of oracles is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden():
    """Numbers made by other software, small enough to commit; scripts/tools/golden/ makes them."""
    return Path(__file__).parent / "golden"


@pytest.fixture
def family_folder(request, golden):
    """A folder of family.ALL; the test is skipped where its oracle is missing."""
    place, name = request.param.split()
    return (golden if place == "golden" else request.getfixturevalue("shared") / "oracles") / "family" / name


@pytest.fixture
def text_file(tmp_path):
    """Sixty lines to train on."""
    path = tmp_path / "text.txt"
    path.write_text("".join(f"{n} times {n} is {n * n};\n" for n in range(60)), "utf-8")
    return path


@pytest.fixture
def interruptible():
    """Lets Ctrl-C reach this process and those that it starts, even if it was itself started to ignore it (`... &`)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def plain_model_agrees():
    """A function: do the logits of a small model of weights of order one equal those of tests/helpers/reference.py?"""
    import numpy as np

    from numgpt import GPT, GPTConfig, gradcheck

    def agrees():
        rng = np.random.default_rng(5)
        config = GPTConfig(n_vocab=11, n_ctx=7, n_embd=12, n_head=3, n_layer=2)
        model = gradcheck.with_random_weights(GPT(config, dtype="float64"), rng)
        ids = rng.integers(0, 11, (2, 6))
        parameters = {name: value for name, value, _ in model.named_parameters()}
        expected = [reference.logits(row, parameters, config.n_layer, config.n_head) for row in ids]
        return np.allclose(model.forward(ids), expected, rtol=0, atol=1e-10)

    return agrees


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
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def serious():
    """A function: a page -> what axe-core finds serious in it; tests are skipped where axe-core is missing."""
    package = pytest.importorskip("axe_playwright_python", reason="no axe-core: pip install 'numgpt[browser]'")
    axe = Path(package.__file__).with_name("axe.min.js").read_text("utf-8")

    def find(page):
        page.evaluate(axe)
        return [
            f"{rule['id']}: {rule['help']} ({len(rule['nodes'])}): {rule['nodes'][0]['html'][:200]}"
            for rule in page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
            if rule["impact"] in ("serious", "critical")
        ]

    return find
