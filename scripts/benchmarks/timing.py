"""Two sides in turn, A B A B ..., so that whatever else the machine does affects both."""

import time
from statistics import median

TURN = 0.2  # seconds that a turn lasts at least: the first call after the other side's turn finds cold caches


def timer(function):
    """A measurement of `function`: the mean seconds per call, over as many calls as fill a turn."""

    def measure():
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < TURN:
            function()
            calls += 1
        return elapsed / calls

    return measure


def alternate(measurements, runs):
    """{name: function that gives a number} -> {name: list of `runs` numbers}, measured one after the other in turn."""
    found = {name: [] for name in measurements}
    for _ in range(runs):
        for name, measure in measurements.items():
            found[name].append(measure())
    return found


def compare(peer, numgpt, unit="s"):
    """The row of a table: medians of both lists, and the ratios peer / numgpt pair by pair."""
    ratios = sorted(a / b for a, b in zip(peer, numgpt, strict=True))
    return {
        "unit": unit,
        "peer_median": median(peer),
        "numgpt_median": median(numgpt),
        "ratio": median(ratios),
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
        "runs": len(ratios),
    }
