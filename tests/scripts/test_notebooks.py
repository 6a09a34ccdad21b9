"""The notebooks are those that the course's pages make today, and run."""

import json

import pytest

from tools.make_notebooks import DOCS, NOTEBOOKS, notebook

REMEDY = "python scripts/tools/make_notebooks.py makes it anew"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_is_made_of_the_present_pages(name):
    text = (DOCS / "notebooks" / f"{name}.ipynb").read_text("utf-8")
    assert text == notebook(name), REMEDY
    outputs = [cell["outputs"] for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert len(json.dumps(outputs)) < 200_000


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_notebook_runs_and_prints_what_it_says(name, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    stored = nbformat.reads(notebook(name), as_version=4)
    nbformat.validate(stored)
    run = nbclient.NotebookClient(
        nbformat.reads(notebook(name), as_version=4), resources={"metadata": {"path": tmp_path}}
    )
    run.execute()
    for before, after in zip(stored.cells, run.nb.cells, strict=True):
        if before.cell_type == "code" and before.outputs:
            (expected,) = before.outputs
            assert "".join(output.text for output in after.outputs if output.output_type == "stream") == expected.text
