"""The pieces of work that bench.py and gpu_check.py measure, and what they are measured with.

Each of bench.py's has `peer`, the name of the other side; `packages` that must be installed for it; `runs`, how many
pairs; `needs`, files that the user has to give; and `measure(runs)`, which makes sure that both sides compute the same
and returns the row of `timing.compare`, with whatever else was measured. Weights are random, as what is computed takes
as long whatever the numbers are.
"""
