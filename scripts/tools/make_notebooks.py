"""Make the notebooks of docs/notebooks/ from pages of the course: text, blocks and output.

python scripts/tools/make_notebooks.py            # a test fails when a page has changed
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from numgpt.files import atomic_write  # noqa: E402
from tools.run_blocks import blocks  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOKS = {
    "look-inside-a-prompt": ["04-attention-forward", "05-attention-backward", "11-what-a-model-knows"],
    "train-on-your-own-text": ["09-training-a-model", "10-generation-and-the-cache"],
}
INSTALL = """Made of pages of the [course](../course/README.md). It needs `pip install "numgpt[notebook]"`, or, in a
checkout, `pip install -e ".[notebook]"`."""
LEFT_OUT = re.compile(r"^## Exercise.*", re.DOTALL | re.MULTILINE)  # and what leads to other pages
TARGET = re.compile(r"\]\((?!https?:|\.\./)([^)]+)\)")


def notebook(name: str) -> str:
    """The text of an .ipynb file, in version 4.5 of the format."""
    cells = [markdown(INSTALL)]
    for page in NOTEBOOKS[name]:
        cells += cells_of((DOCS / "course" / f"{page}.md").read_text("utf-8"))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def cells_of(page: str) -> list[dict[str, Any]]:
    """A page as cells; relative links are adjusted to the notebook's folder."""
    page = TARGET.sub(r"](../course/\1)", LEFT_OUT.sub("", page))
    cells, done = [], 0
    for block in blocks(page):
        fence = page.index(f"```python\n{block.code}", done)
        cells += [markdown(page[done:fence]), code(block.code, block.output)]
        done = block.span[1] if block.output is not None else fence + len("```python\n" + block.code)
        done = page.index("```", done) + len("```")
    return [*cells, markdown(page[done:])]


def markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": lines(text.strip())}


def code(text: str, output: str | None) -> dict[str, Any]:
    printed = [{"name": "stdout", "output_type": "stream", "text": lines(output)}] if output else []
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": printed,
        "source": lines(text.rstrip()),
    }


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    (DOCS / "notebooks").mkdir(exist_ok=True)
    for name in NOTEBOOKS:
        with atomic_write(DOCS / "notebooks" / f"{name}.ipynb", "w") as file:
            file.write(notebook(name))


if __name__ == "__main__":
    main()
