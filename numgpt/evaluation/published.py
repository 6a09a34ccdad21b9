"""What others published for a task, and how far a result is from it.

For each task, `published.json` names the text and has the figures for each size of GPT-2, each with its source and a
tolerance: what its digits and its authors' arithmetic leave open. The paper's figures are only shown.
"""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from numgpt.config import OFFICIAL_SIZES


@cache
def read_published():
    """The contents of published.json."""
    return json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))


def compare(result, config):
    """{"published": comparisons, "paper": the paper's figures} for a result of `evaluate` and a model of `config`.

    Empty for part of the text, for another text, and for a model of a shape that nobody published.
    """
    task = read_published()["tasks"].get(result["task"])
    size = size_of(config)
    if task is None or size is None or result["limit"] is not None or not is_text(result, task):
        return {"published": [], "paper": {}}
    found = [compare_figure(result, entry, size) for entry in task["sizes"].get(size, [])]
    paper = task.get("paper", {}).get(size, {})
    return {"published": found, "paper": paper | {"note": read_published()["paper"]} if paper else {}}


def compare_figure(result, entry, size):
    """An entry of published.json with the verdict on the computed figure."""
    computed = result[entry["figure"]]
    if computed is None:
        return {"model": size, **entry, "verdict": "differs: the figure overflows"}
    difference = computed - entry["value"]
    equal = abs(difference) <= entry["tolerance"]
    return {"model": size, **entry, "verdict": "equal" if equal else f"differs by {difference:+.6g}"}


def is_text(result, task):
    """Whether a result is for the text of the published figures; HellaSwag's is recognised by its number of lines."""
    if "sha256" in task:
        return result["file_sha256"] == task["sha256"]
    return result["units"] == task["units"]


def size_of(config):
    """The name of the published model of this shape, or None."""
    for size, official in OFFICIAL_SIZES.items():
        if replace(config, dropout=official.dropout) == official:
            return size
    return None
