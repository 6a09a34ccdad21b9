#!/usr/bin/env python3
"""How fast numgpt is, as ratios: it and a peer do the same work in turn, A B A B ..., in one run on one machine.

    python scripts/bench.py [--quick] [--json FILE] [NAME ...]

Absolute times depend on the machine and on what else it does; a ratio of medians measured side by side says more.
A ratio above 1 means that numgpt is faster. Peak memory is that of one run in a process of its own for each side.
The peers come with `pip install -e '.[bench]'`; where one is not installed, its line says so.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benches import ALL  # noqa: E402  (after the path to numgpt is known)


def measure(bench, runs):
    """Median seconds of both sides called in turn, and the ratios peer / numgpt pair by pair."""
    theirs, ours = bench.theirs(), bench.ours()
    bench.check(ours, theirs)
    pairs = []
    for _ in range(runs):
        seconds = []
        for function in (theirs, ours):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        pairs.append(seconds)
    ratios = sorted(a / b for a, b in pairs)
    return {
        "peer": bench.peer,
        "peer_seconds": statistics.median(a for a, _ in pairs),
        "numgpt_seconds": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(ratios),
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
        "runs": runs,
    }


def peak_mb(name, side):
    """Peak resident memory, in MB, of one run of one side in a process of its own."""
    command = [sys.executable, __file__, name, "--peak", side]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]) / 1024


def own_peak_kb():
    """Linux counts the parent's peak into ru_maxrss of a child, but not into VmHWM."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="a third of the runs")
    parser.add_argument("--text", metavar="FILE", help="a text of about a megabyte for what works on texts")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--peak", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.names) - set(ALL)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    if args.peak:
        getattr(ALL[args.names[0]], args.peak)()()
        print(own_peak_kb())
        return
    text = Path(args.text).read_text(encoding="utf-8") if args.text else None
    results = {}
    print(f"{'work':24} {'peer':24} {'peer s':>9} {'numgpt s':>9} {'ratio':>7}  {'spread':11} peak MB: peer, numgpt")
    for name in args.names or ALL:
        bench = ALL[name]
        if hasattr(bench, "text"):
            if text is None:
                print(f"{name:24} not measured: it needs a text, --text FILE")
                continue
            bench.text = text
        try:
            row = measure(bench, max(2, bench.runs // 3) if args.quick else bench.runs)
        except ImportError as error:
            print(f"{name:24} not measured: {error.name} is not installed")
            continue
        memory = ""
        if bench.memory:
            row["peer_peak_mb"], row["numgpt_peak_mb"] = peak_mb(name, "theirs"), peak_mb(name, "ours")
            memory = f"{row['peer_peak_mb']:.0f}, {row['numgpt_peak_mb']:.0f}"
        results[name] = row
        print(
            f"{name:24} {row['peer']:24} {row['peer_seconds']:9.4f} {row['numgpt_seconds']:9.4f} {row['ratio']:7.2f}"
            f"  {row['ratio_min']:.2f} - {row['ratio_max']:.2f} {memory}",
            flush=True,
        )
    if args.json:
        Path(args.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
