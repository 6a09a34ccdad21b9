"""The bars: for a tokenizer that is learning, for an evaluation."""

import sys
from contextlib import contextmanager

HEADLINES = "accuracy_norm", "accuracy", "word_perplexity", "token_perplexity"  # the first there is, is shown


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


@contextmanager
def units_bar():
    """A function progress(done, total, figures) that draws a bar with the figure so far; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="unit", leave=False) as bar:

        def progress(done, total, figures):
            name = next((name for name in HEADLINES if figures.get(name) is not None), None)
            bar.total = total
            bar.set_postfix_str(f"{name.replace('_', ' ')} {figures[name]:.6g}" if name else "", refresh=False)
            bar.update(done - bar.n)

        yield progress
