"""Progress bars: for learning a tokenizer, for an evaluation, for a file of prompts."""

import sys
from contextlib import contextmanager


@contextmanager
def learning_bar():
    """A function progress(done, total) that draws a bar for the merges being learnt; None without a terminal."""
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
    """A function progress(done, total, figures) that draws a bar with the figure so far; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(unit="unit", leave=False) as bar:

        def progress(done, total, figures):
            name = figures["stderr_of"]
            bar.total = total
            value = "overflow" if figures[name] is None else f"{figures[name]:.6g}"
            bar.set_postfix_str(f"{name.replace('_', ' ')} {value}", refresh=False)
            bar.update(done - bar.n)

        yield progress


@contextmanager
def prompts_bar(total, done):
    """A function to call after every prompt; on a terminal, it draws a bar that begins at `done`."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=done, unit=" prompts", leave=False) as bar:
        yield bar.update
