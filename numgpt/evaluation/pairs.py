"""A continuation after its context: which ids are scored, and after which."""

from numgpt.errors import InputError
from numgpt.evaluation.unit import Unit
from numgpt.evaluation.windows import ending


def split_ids(context, continuation, tokenizer):
    """(ids of the context, ids of the continuation), as the lm-evaluation-harness splits a text.

    Whitespace at the end of the context belongs to the continuation, as GPT-2's tokens begin with their spaces. The
    continuation's ids are those of the joined text beyond the context's.
    """
    stripped = context.rstrip()
    whole = tokenizer.encode(context + continuation)
    before = tokenizer.encode(stripped)
    return list(before), list(whole[len(before) :])


def unit_of_endings(context, endings, n_ctx, where, **about):
    """The Unit of one context, a list of ids, and the lists of ids that may follow it.

    A context that is too long is cut on the left, and about["cut"] is the number of ids cut, at most. Raises
    InputError, which begins with `where`, for an empty context, and for an ending that is empty or longer than the
    model's context.
    """
    if not context:
        raise InputError(f"{where}: there is no context before what is to be predicted")
    for ids in endings:
        if not 0 < len(ids) <= n_ctx:
            raise InputError(f"{where}: an ending has {len(ids)} tokens: it can have from 1 to {n_ctx}, the context")
    windows, cuts = zip(*(ending(context, ids, n_ctx) for ids in endings), strict=True)
    shared = len(context) - 1 if len(endings) > 1 and not any(cuts) else 0
    return Unit(list(windows), {"cut": max(cuts), **about}, shared)
