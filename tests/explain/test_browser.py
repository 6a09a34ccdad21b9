"""The page in a browser: whole, silent, exact, reachable by keyboard, and fit for readers of all kinds."""

from xml.etree import ElementTree

import numpy as np
import pytest

import numgpt
from numgpt import explain
from numgpt.generation import sampling

PARTS = [
    *("tokens", "embedding", "attention", "mlp", "lens", "choosing", "generation", "loss", "backward", "learning"),
    *("way", "glossary"),
]
PROMPTS = {
    "markup": '</script><b id="x">"&amp;<!--\u2028',
    "an emoji in two tokens": "a 🙂!",
    "right to left": "\u200fשלום",
    "line breaks": "\n" * 64,
    "one token": "!",
    "as long as the context": "the " * 24,
}
RULES = [
    {},
    {"temperature": 0.3},
    {"temperature": 1.7, "top_k": 0},
    {"top_k": 3},
    {"top_k": 0, "top_p": 0.6},
    {"top_k": 0, "min_p": 0.05},
    {"top_k": 0, "repetition_penalty": 1.8},
    {"temperature": 1.1, "top_k": 30, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 0.7},
]


@pytest.fixture(scope="module")
def shakespeare():
    """The numbers of a text under the bundled model."""
    model, tokenizer = numgpt.load("shakespeare")
    return explain.gather(explain.read_subject(model, tokenizer, "ROMEO: But, soft!"), "shakespeare", steps=2)


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_every_part_is_there_whatever_the_prompt(gathered, model, tokenizer, opened, prompt):
    ids = tokenizer.encode(prompt)
    page = opened(explain.page(gathered(tokenizer.decode(ids[: model.config.n_ctx]), steps=1)))
    assert [section.get_attribute("id") for section in page.locator("section").all()] == PARTS
    for part in PARTS:
        assert page.locator(f"#{part} h2").inner_text()
    assert page.locator("#x").count() == 0
    assert page.locator("figure svg").count() == page.locator("figure").count() == 14
    assert "NaN" not in page.inner_text("body")
    assert "undefined" not in page.inner_text("body")


@pytest.mark.parametrize("language", explain.LANGUAGES)
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_window(shakespeare, opened, language, width):
    page = opened(explain.page(shakespeare, language), width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.get_attribute("html", "lang") == language


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_sliders_give_the_probabilities_of_generate(shakespeare, opened, rules):
    page = opened(explain.page(shakespeare))
    for name, value in rules.items():
        page.locator(f"#slider-{name} + input").fill(str(value))
        page.locator(f"#slider-{name} + input").press("Enter")
    settings = {**shakespeare["choosing"]["rules"], **rules}
    found = page.evaluate(
        "rules => Array.from(distribution(data.choosing.logits.data, data.choosing.seen, rules).probabilities)",
        settings,
    )
    logits, seen = shakespeare["choosing"]["logits"], shakespeare["choosing"]["seen"]
    expected = probabilities(logits, seen, **settings)
    assert np.abs(np.array(found) - expected).max() < 1e-12
    shown = page.locator("#choosing table").last.locator("tbody tr").all()
    likeliest = np.argsort(-expected, kind="stable")[: min(15, np.count_nonzero(expected))]
    assert [int(row.locator("td").first.inner_text()) for row in shown[: len(likeliest)]] == likeliest.tolist()


def probabilities(logits, seen, temperature, top_k, top_p, min_p, repetition_penalty):
    """The distribution that `choose` draws from, by the functions that it calls."""
    scores = sampling.penalise_repetition(logits[None].astype(np.float64), [seen], repetition_penalty)
    scores = sampling.temper(scores, temperature)
    scores = sampling.keep_top_k(scores, top_k or scores.size)
    scores = sampling.keep_min_p(sampling.keep_top_p(scores, top_p), min_p)
    possible, p = sampling.softmax_of_possible(scores[0])
    whole = np.zeros(scores.size)
    whole[possible] = p
    return whole


def test_the_drawn_number_gives_the_token_of_generate(shakespeare, opened):
    page = opened(explain.page(shakespeare))
    model, tokenizer = numgpt.load("shakespeare")
    rules = shakespeare["choosing"]["rules"]
    out = numgpt.generate(model, [tokenizer.encode("ROMEO: But, soft!")], max_new_tokens=1, seed=0, **rules)
    row = page.locator("#choosing table").last.locator("tr.selected")
    assert int(row.locator("td").first.inner_text()) == out[0, -1]


def test_the_page_computes_what_the_trace_holds(gathered, model, tokenizer, opened):
    prompt = "To be, or not to be"
    page = opened(explain.page(gathered(prompt, heads="1.2,0.0")))
    ids = np.array([tokenizer.encode(prompt)])
    targets = np.append(ids[:, 1:], [[-1]], axis=1)
    found = numgpt.trace(model, ids, targets)
    for n, (layer, head) in enumerate([(1, 2), (0, 0)]):
        at = f"h.{layer}.attn"
        values = page.evaluate(f"(({{p, o, dp, ds, dq, dk, dv}}) => ({{p, o, dp, ds, dq, dk, dv}}))(heads[{n}])")
        expected = {name: found.values[f"{at}.{name}"] for name in "po"}
        expected |= {f"d{name}": found.gradients[f"{at}.{name}"] for name in "psqkv"}
        for name, value in expected.items():
            scale = np.abs(value[0, head]).max()
            lower = np.tril(np.ones_like(value[0, head])) if name in ("p", "dp", "ds") else 1
            assert np.abs((np.array(values[name]) - value[0, head]) * lower).max() < 1e-5 * scale, name


def test_everything_is_reached_by_keyboard(shakespeare, opened):
    page = opened(explain.page(shakespeare))
    wanted = page.locator("a[href], button, select, input, summary, [tabindex='0']")
    page.evaluate(
        "document.querySelectorAll('a[href], button, select, input, summary, [tabindex=\"0\"]')"
        ".forEach((node, n) => node.setAttribute('data-n', n))"
    )
    reached = set()
    hidden = page.locator("details:not([open]) > :not(summary)").locator("a[href], button, [tabindex='0']").count()
    hidden += page.locator("details:not([open]) > [tabindex='0']").count()
    for _ in range(wanted.count()):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('data-n')"))
    assert len(reached - {None}) == wanted.count() - hidden
    place = page.locator("#figure-probabilities .scroll")
    place.focus()
    before = page.evaluate("[state.t, state.u]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    after = page.evaluate("[state.t, state.u]")
    assert after == [min(before[0] + 1, page.evaluate("T") - 1), max(before[1] - 1, 0)]
    assert page.evaluate("document.activeElement === document.querySelector('#figure-probabilities .scroll')")
    assert f"{after[1]} " in page.locator("#figure-probabilities .said").inner_text()
    page.locator("#slider-temperature").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#slider-temperature + input").input_value() == "0.81"


def test_every_figure_is_saved_as_svg(shakespeare, opened):
    page = opened(explain.page(shakespeare))
    with page.expect_download() as download:
        page.locator("#figure-bend button.save").click()
    texts = page.evaluate("[...document.querySelectorAll('figure .scroll')].map(svgText)")
    assert download.value.path().read_text("utf-8") in texts
    assert download.value.suggested_filename == "numgpt-bend.svg"
    for text in texts:
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(--" not in text


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing_serious(shakespeare, opened, serious, width, scheme):
    page = opened(explain.page(shakespeare), width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach((node) => (node.open = true))")
    assert serious(page) == []


def test_a_trace_is_a_page_in_a_notebook(model, opened):
    ids = np.arange(8)[None]
    found = numgpt.trace(model, ids, np.roll(ids, -1))
    frame = found._repr_html_()
    page = opened(f'<!DOCTYPE html><html data-ready="yes"><body>{frame}</body></html>')
    inside = page.frame_locator("iframe")
    assert inside.locator("html").get_attribute("data-ready") == "yes"
    assert [section.get_attribute("id") for section in inside.locator("section").all()] == [
        part for part in PARTS if part not in ("choosing", "generation", "learning")
    ]
