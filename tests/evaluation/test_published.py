"""What is published stands beside what was computed: for the same text and shape, and never for a part."""

import json

import pytest

from numgpt import GPTConfig
from numgpt.cli.evaluate import show
from numgpt.config import OFFICIAL_SIZES
from numgpt.evaluation.published import compare, read_published
from numgpt.evaluation.tasks import TASKS

TASK = "wikitext-lm-eval"
SMALL = OFFICIAL_SIZES["124M"]


def result(**changes):
    """As `evaluate` gives it, with the very figures that are published."""
    about = {"task": TASK, "limit": None, "units": 62, "file_sha256": read_published()["tasks"][TASK]["sha256"]}
    figures = {"word_perplexity": 37.3698, "byte_perplexity": 1.9682, "bits_per_byte": 0.9769}
    return {**about, **figures, **changes}


def verdicts(found):
    return [entry["verdict"] for entry in found["published"]]


def test_equal_and_by_how_much_not():
    assert verdicts(compare(result(), SMALL)) == ["equal"] * 3
    assert verdicts(compare(result(word_perplexity=37.3799), SMALL))[0] == "differs by +0.0101"
    assert verdicts(compare(result(word_perplexity=37.3605), SMALL))[0] == "equal"
    assert verdicts(compare(result(word_perplexity=None), SMALL))[0] == "differs: the figure overflows"


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        ({"limit": 5}, SMALL),
        ({"file_sha256": "0" * 64}, SMALL),
        ({"task": "text"}, SMALL),
        ({"task": "hellaswag-llm.c", "units": 10}, SMALL),
        ({}, GPTConfig(n_layer=11)),
        ({}, GPTConfig(activation="gelu")),
    ],
)
def test_nothing_is_compared_that_is_not_the_same(changes, config):
    assert compare(result(**changes), config) == {"published": [], "paper": {}}


def test_the_paper_is_shown_and_not_compared(capsys):
    found = compare(result(), SMALL)
    assert found["paper"]["WikiText-2 perplexity"] == 29.41
    assert all(entry["value"] != 29.41 for entry in found["published"])
    show({"word_perplexity": 37.3698, **found}, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("published            word_perplexity 37.3698 +- 0.01 for 124M: equal (workofart/")
    assert lines[-1].startswith("paper                WikiText-2 perplexity 29.41: from GPT-2's paper, table 3; its")
    assert lines[-1].endswith("are not public, so nothing can be compared")


def test_every_entry_is_whole():
    """Each has a source and a tolerance, is of a task and a size that there are, and tells how its text is known."""
    published = read_published()
    assert set(published["tasks"]) == set(TASKS)
    for task in published["tasks"].values():
        assert ("sha256" in task) != ("units" in task)
        assert set(task["sizes"]) | set(task.get("paper", {})) <= set(OFFICIAL_SIZES)
        for entries in task["sizes"].values():
            for entry in entries:
                assert set(entry) == {"figure", "value", "tolerance", "source"}
                assert 0 < entry["tolerance"] <= 0.011 * entry["value"]
    json.dumps(published, allow_nan=False)


def test_the_texts_are_those_that_are_fetched():
    from tools.fetch_texts import TEXTS

    for name, task in read_published()["tasks"].items():
        text = TEXTS[TASKS[name].file]
        assert task.get("sha256") == text.sha256
        assert task.get("units") == text.lines
