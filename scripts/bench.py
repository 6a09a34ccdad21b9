#!/usr/bin/env python3
"""How fast numgpt is, as ratios: numgpt and a peer do the same work in turn, A B A B ..., in one run on one machine.

    python scripts/bench.py [--quick] [--avx2] [--json FILE] [--vocabulary DIR] [--text FILE] [--seen FILE] [NAME ...]

Absolute times depend on the machine and its load; a ratio of medians measured side by side says more. A ratio above 1
means that numgpt is faster, or needs less memory. For some of the work, its matrix products alone are measured too, in
turn with it: the share of the time that they fill tells how close it comes to what the machine can do. Peak memory is
that of two steps in a separate process for each side.

The peers come with `pip install -e '.[bench]'`; if one is not installed, its line says so. The tokenizer is measured
with GPT-2's vocabulary files in DIR, on texts of about a megabyte: --text, and --seen, a text of the same kind.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine  # noqa: E402  (after the path to numgpt is known)
from benchmarks.evaluating import Evaluation  # noqa: E402
from benchmarks.inference import SMALL, Decode, Forward  # noqa: E402
from benchmarks.many import CHARACTERS as CHARACTER_RUN  # noqa: E402
from benchmarks.many import SMALL as SMALL_RUN  # noqa: E402
from benchmarks.many import ManyProcesses  # noqa: E402
from benchmarks.memory import own_peak_mb  # noqa: E402
from benchmarks.peers import plain_torch_model, transformers_model  # noqa: E402
from benchmarks.processes import FirstToken, FirstTokenOfText, Load, MemoryOfGeneration  # noqa: E402
from benchmarks.tokenizing import DecodeIds, EncodeCold, EncodeWarm, LearnMerges, OneLetter  # noqa: E402
from benchmarks.training import CHARACTERS, TrainingStep  # noqa: E402
from benchmarks.translating import TranslationStep  # noqa: E402

ALL = {
    "decode": Decode(1),
    "decode-8": Decode(8),
    "prefill": Forward(last_only=True),
    "logits": Forward(last_only=False),
    "train-characters": TrainingStep(CHARACTERS, 12, 64, plain_torch_model, 20, has_peak=False),
    "train-124M-4x64": TrainingStep(SMALL, 4, 64, transformers_model, 7),
    "train-124M-1x1024": TrainingStep(SMALL, 1, 1024, transformers_model, 5),
    "train-124M-4x64-plain": TrainingStep(SMALL, 4, 64, plain_torch_model, 7),
    "train-124M-1x1024-plain": TrainingStep(SMALL, 1, 1024, plain_torch_model, 5),
    "train-124M-1x1024-recompute": TrainingStep(SMALL, 1, 1024, plain_torch_model, 5, recompute=True),
    "processes-characters": ManyProcesses(CHARACTER_RUN, 5),
    "ranks-124M-4x64": ManyProcesses(SMALL_RUN, 3, mpi=True, needs=("text", "vocabulary")),
    "ranks-124M-4x256": ManyProcesses(SMALL_RUN | {"context": 256}, 3, mpi=True, needs=("text", "vocabulary")),
    "train-translation": TranslationStep(300, 10, 13, 9),
    "evaluate-wikitext": Evaluation("wikitext-hf-1024", "wikitext", 8, 5),
    "evaluate-lambada": Evaluation("lambada-lm-eval", "lambada", 200, 5),
    "load": Load(),
    "first-token": FirstToken(),
    "first-token-of-text": FirstTokenOfText(),
    "memory-of-generation": MemoryOfGeneration(),
    "encode": EncodeWarm(),
    "encode-cold": EncodeCold(),
    "decode-ids": DecodeIds(),
    "one-letter": OneLetter(),
    "learn-merges": LearnMerges(),
}
NEEDED = {name: f"--{name} FILE" for name in ("text", "seen", "wikitext", "lambada")} | {
    "vocabulary": "--vocabulary DIR"
}


def main():
    args = parse_arguments()
    if args.avx2 and machine.AVX2 not in os.environ:
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=machine.as_avx2()).returncode)
    if args.peak:
        ALL[args.names[0]].steps(args.peak)
        print(own_peak_mb())
        return
    results = {"machine": machine.facts(), "quick": args.quick, "results": {}}
    print("{processor}, {cores} cores, {vectors}".format(**results["machine"]))
    print(f"{'work':24} {'peer':22} {'peer':>10} {'numgpt':>10}    {'ratio':>6}  spread")
    write(results, args.json)
    for name in args.names or ALL:
        bench = ALL[name]
        bench.inputs = args
        reason = why_not(bench, args)
        if reason:
            print(f"{name:24} not measured: {reason}")
            continue
        row = bench.measure(max(2, bench.runs // 3) if args.quick else bench.runs)
        if getattr(bench, "has_peak", False):
            row |= {f"{side}_peak_mb": peak_mb(name, side) for side in ("peer", "numgpt")}
        results["results"][name] = {"peer": bench.peer} | row
        print(describe(name, bench.peer, row), flush=True)
        write(results, args.json)


def write(results, path):
    """Write the results so far, after every row, so that an interrupted run leaves what it has."""
    if path:
        Path(path).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="a third of the runs")
    parser.add_argument("--avx2", action="store_true", help="without AVX-512, both sides, on a processor that has it")
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--vocabulary", metavar="DIR", help="a folder with GPT-2's encoder.json and vocab.bpe")
    parser.add_argument("--text", metavar="FILE", help="a text for the work that needs one")
    parser.add_argument("--seen", metavar="FILE", help="a text of the same kind, which the tokenizer encodes first")
    parser.add_argument("--wikitext", metavar="FILE", help="WikiText-2's raw test text, as fetch-texts fetches it")
    parser.add_argument("--lambada", metavar="FILE", help="lambada_test.jsonl")
    parser.add_argument("--peak", choices=["numgpt", "peer"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.names) - set(ALL)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    return args


def why_not(bench, inputs):
    """What is missing for a measurement; None if nothing is."""
    missing = [NEEDED[need] for need in getattr(bench, "needs", ()) if getattr(inputs, need) is None]
    if missing:
        return f"it needs {' '.join(missing)}"
    absent = [package for package in bench.packages if find_spec(package) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def peak_mb(name, side):
    """The peak resident memory of two training steps of one side, in a separate process, in MB."""
    command = [sys.executable, __file__, name, "--peak", side]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def describe(name, peer, row):
    """A row for people to read: the ratio in one line, and whatever else was measured below it."""
    digits = 0 if row["unit"] == "MB" else 4
    medians = f"{row['peer_median']:10.{digits}f} {row['numgpt_median']:10.{digits}f} {row['unit']:2}"
    lines = [f"{name:24} {peer:22} {medians} {row['ratio']:6.2f}  {row['ratio_min']:.2f} - {row['ratio_max']:.2f}"]
    if "numgpt_share" in row:
        rates = f"{row['limit_gflops']:.0f} GFLOP/s, {row['limit_gbytes_per_second']:.1f} GB/s of weights"
        lines.append(
            f"share of the limit: numgpt {row['numgpt_share']:.2f}, peer {row['peer_share']:.2f}"
            f" (products alone {row['limit_seconds']:.4f} s: {rates})"
        )
    for key, label in (
        ("seconds_a_step", "seconds a step after the first"),
        ("mb_per_second", "MB/s"),
        ("minutes_for_all", "minutes for the whole text"),
        ("peak_mb", "peak MB"),
        ("over_weights_mb", "MB more than the weights"),
    ):
        if f"numgpt_{key}" in row:
            lines.append(f"{label}: numgpt {row[f'numgpt_{key}']:.4g}, peer {row[f'peer_{key}']:.4g}")
    if "whole_over_half" in row:
        lines.append(f"numgpt's seconds over those for half the text: {row['whole_over_half']:.2f}")
    return "\n    ".join(lines)


if __name__ == "__main__":
    main()
