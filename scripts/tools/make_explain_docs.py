"""Make docs/explain.html from the bundled model, and with --pictures the pictures of docs/explain.md.

python scripts/tools/make_explain_docs.py               # the page alone; needs numgpt only
python scripts/tools/make_explain_docs.py --pictures    # needs playwright and a Chromium
"""

import argparse
import shutil
from pathlib import Path

import numgpt
from numgpt import explain
from numgpt.files import atomic_write

DOCS = Path(__file__).parents[2] / "docs"
MODEL = "shakespeare"
PROMPT = "ROMEO:\nBut, soft! what light through yonder"
WIDTH, HEIGHT = 1000, 800

# file -> the part of the page that it shows
PICTURES = {
    "tokens": "#tokens",
    "embedding": "#figure-embedding",
    "attention": "#attention .pair",
    "mlp": "#figure-bend",
    "lens": "#lens .scroll",
    "choosing": "#choosing > .scroll, #choosing > div:last-child",
    "generation": "#figure-cache",
    "loss": "#loss > div:last-child",
    "stream": "#figure-stream",
    "backward": "#backward .pair",
    "proof": "#backward > .scroll",
    "ablation": "#figure-ablation",
    "learning": "#learning .pair",
    "way": "#way > div:last-child > .scroll:last-child",
}


def make_page() -> str:
    """The HTML of docs/explain.html."""
    model, tokenizer = numgpt.load(MODEL)
    return explain.page(explain.gather(explain.read_subject(model, tokenizer, PROMPT), MODEL))


def take_pictures(page_path: Path, folder: Path) -> None:
    """Write a picture of each part, and overview.png, the way back through the opened head."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(page_path.as_uri())
        page.evaluate("document.querySelector('.focus').style.position = 'static'")
        for name, selector in PICTURES.items():
            page.locator(selector).first.screenshot(path=folder / f"{name}.png")
        page.evaluate("scrollTo(0, document.querySelector('#backward h3').getBoundingClientRect().top + scrollY - 16)")
        page.screenshot(path=folder / "overview.png")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", action="store_true", help="take the pictures again")
    arguments = parser.parse_args()
    path = DOCS / "explain.html"
    with atomic_write(path, "w") as file:
        file.write(make_page())
    if arguments.pictures:
        (DOCS / "explain").mkdir(exist_ok=True)
        take_pictures(path, DOCS / "explain")


if __name__ == "__main__":
    main()
