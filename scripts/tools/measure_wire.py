#!/usr/bin/env python3
"""The time of a training step of the 124M shape on two ranks, with a wire of RATE Gbit/s between them.

    python scripts/tools/measure_wire.py TEXT VOCABULARY [--context T] [RATE ...]

Both ranks run on this machine, each bound to a core, and talk by TCP through the loopback device, whose rate Linux's
token bucket filter (tc ... tbf) limits: this needs root and iproute2. The device carries both directions, so it gets
twice RATE, as a wire has RATE each way. Without RATE, nothing is limited. Prints one line each, with one rank's time
first.
"""

import argparse
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.many import SMALL, ManyProcesses

TCP = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "tcp,self", "OMPI_MCA_btl_tcp_if_include": "lo"}


@contextmanager
def limited(rate):
    """A context in which the loopback device carries `rate` Gbit/s each way."""
    words = ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", f"{2 * rate}gbit", "burst", "4mb"]
    subprocess.run([*words, "latency", "50ms"], check=True)
    try:
        yield
    finally:
        subprocess.run(["tc", "qdisc", "del", "dev", "lo", "root"], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("vocabulary")
    parser.add_argument("rates", metavar="RATE", type=float, nargs="*")
    parser.add_argument("--context", type=int, default=64)
    args = parser.parse_args()
    bench = ManyProcesses(SMALL | {"context": args.context}, 1, mpi=True)
    bench.inputs = SimpleNamespace(text=args.text, vocabulary=args.vocabulary)
    tokens = SMALL["batch-size"] * args.context
    print(f"{tokens} tokens a step; one rank: {bench.seconds(1):.3f} s", flush=True)
    print(f"two ranks through memory: {bench.seconds(2):.3f} s", flush=True)
    os.environ.update(TCP)
    print(f"by TCP: {bench.seconds(2):.3f} s", flush=True)
    for rate in args.rates:
        with limited(rate):
            print(f"at {rate:g} Gbit/s: {bench.seconds(2):.3f} s", flush=True)


if __name__ == "__main__":
    main()
