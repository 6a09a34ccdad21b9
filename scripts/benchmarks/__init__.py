"""The work that bench.py and gpu_check.py measure, and the tools to measure it.

Each piece of bench.py's has `peer`, the name of the other side; `packages` that must be installed for it; `runs`, the
number of pairs; `needs`, files that the user has to give; and `measure(runs)`, which checks that both sides compute the
same and returns the row of `timing.compare`, with whatever else was measured. Weights are random, as they do not change
how long the work takes.
"""
