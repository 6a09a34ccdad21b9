"""A trace in a notebook: the parts of the page that need nothing but the trace."""

import html
from typing import Any

import numpy as np

from numgpt.explain.gather import about, from_trace
from numgpt.explain.page import page
from numgpt.explain.subject import LONGEST, WHOLE
from numgpt.explain.tokens import Vocabulary
from numgpt.tracing.result import Trace
from numgpt.tracing.walk import names_of

HEIGHT = 640  # pixels


def notebook(found: Trace) -> str:
    """HTML with a frame that holds the page of a trace, or a line that says why there is none.

    Without a tokenizer, tokens are shown as numbers; generation, proof, ablation and the film need the model to run
    again, which `numgpt explain` does.
    """
    why = obstacle(found)
    if why:
        return f"<p>{html.escape(repr(found))}. There is no page of it: {html.escape(why)}.</p>"
    T, config, dtype = found.ids.shape[1], found.model.config, found.model.dtype.name
    layers = list(range(config.n_layer)) if T <= WHOLE else [0]
    vocabulary = Vocabulary(None)
    vocabulary.mention(found.ids)
    data: dict[str, Any] = from_trace(found, layers, [(layer, 0) for layer in layers], vocabulary)
    data["about"] = about(found.model, dtype, "", None, T, layers)
    ids = {"ids": found.ids[0].tolist(), "targets": np.asarray(found.targets)[0].tolist()}
    data["tokens"] = ids | {"n_prompt": T, "own_target": False, "kind": "none", "bytes": []}
    data["vocabulary"] = {str(i): text for i, text in vocabulary.mentioned.items()}
    frame = html.escape(page(data), quote=True)
    return f'<iframe title="numgpt trace" width="100%" height="{HEIGHT}" srcdoc="{frame}"></iframe>'


def obstacle(found: Trace) -> str | None:
    """Why a trace cannot be shown as a page; None if it can."""
    B, T = found.ids.shape
    if B > 1:
        return f"it has {B} texts; trace one"
    if T > LONGEST:
        return f"{T} tokens are too many to draw; at most {LONGEST}"
    if found.targets is None:
        return "without targets there are no gradients"
    missing = [name for name in names_of(found.model) if name not in found.values]
    return f"it lacks {missing[0]}; trace without names= to keep all" if missing else None
