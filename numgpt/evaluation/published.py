"""What others published for a task, and how far from it a result is.

`published.json` has for each task which text the figures are of, and for each size of GPT-2 the figures, each with its
source and how far from it is still equal: what its digits and the arithmetic of those who made it leave open. The
paper's figures are only shown.
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
    """{"published": comparisons, "paper": figures of the paper's} of a result of `evaluate`, for a model of `config`.

    Empty for a part of the text, for another text, and for a model of another shape than the published ones.
    """
    task = read_published()["tasks"].get(result["task"])
    size = size_of(config)
    if task is None or size is None or result["limit"] is not None or not is_text(result, task):
        return {"published": [], "paper": {}}
    found = [compare_figure(result, entry, size) for entry in task["sizes"].get(size, [])]
    paper = task.get("paper", {}).get(size, {})
    return {"published": found, "paper": paper | {"note": read_published()["paper"]} if paper else {}}


def compare_figure(result, entry, size):
    """An entry of published.json beside the figure that was computed."""
    computed = result[entry["figure"]]
    if computed is None:
        return {"model": size, **entry, "verdict": "differs: the figure is beyond all numbers"}
    difference = computed - entry["value"]
    equal = abs(difference) <= entry["tolerance"]
    return {"model": size, **entry, "verdict": "equal" if equal else f"differs by {difference:+.6g}"}


def is_text(result, task):
    """Whether a result is of the text that the published figures are of; HellaSwag's is known by its lines."""
    if "sha256" in task:
        return result["file_sha256"] == task["sha256"]
    return result["units"] == task["units"]


def size_of(config):
    """The name of the published model of this shape, or None."""
    for size, official in OFFICIAL_SIZES.items():
        if replace(config, dropout=official.dropout) == official:
            return size
    return None
