"""The bar for a tokenizer that is learning."""

import sys
from contextlib import contextmanager


@contextmanager
def learning_bar():
    """A function progress(done, total) that draws a bar for the merges being learnt; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc="learning the tokenizer", unit=" merges", leave=False, delay=0.5) as bar:

        def progress(done, total):
            bar.total = total
            bar.update(done - bar.n)

        yield progress
