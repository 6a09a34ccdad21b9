"""The tasks by name. To read what one does, follow its functions: prepare, record, reduce."""

from collections.abc import Callable
from dataclasses import dataclass

from numgpt.errors import InputError
from numgpt.evaluation import texts
from numgpt.files import quoted
from numgpt.numbers import check_number

WIKITEXT = "wikitext-2-raw.test.txt"


@dataclass(frozen=True)
class Task:
    """A protocol.

    prepare(text, tokenizer, n_ctx) -> (Units, totals); record(unit, scores) -> dict for JSON; reduce(records, totals)
    -> figures, totals being {} where only some of the Units were scored. protocol: one line for the reader. file: the
    usual name of the text, None where the user brings one. n_ctx: the context that the
    protocol asks for; None is the model's own.
    """

    protocol: str
    prepare: Callable
    record: Callable
    reduce: Callable
    file: str | None = None
    n_ctx: int | None = None


def hf(stride):
    """WikiText as in Hugging Face's guide; stride None is the context, so that windows do not overlap."""
    if stride is not None:
        stride = check_number(stride, "the stride", whole=True)

    def prepare(text, tokenizer, n_ctx):
        return texts.strided_units(texts.join_rows(text), tokenizer, n_ctx, min(stride or n_ctx, n_ctx))

    how = "disjoint windows" if stride is None else f"windows {stride} tokens apart"
    protocol = f"Hugging Face's guide: rows joined by two line breaks, {how} of 1024, a window's first token not scored"
    return Task(protocol, prepare, texts.record, texts.reduce, WIKITEXT, 1024)


TASKS = {
    "wikitext-hf-1024": hf(None),
    "wikitext-hf-512": hf(512),
}


def text_task(protocol, stride):
    """The Task for any text: protocol "strided" with a stride, None being the context, or "rolling"."""
    if not isinstance(protocol, str) or protocol not in ("strided", "rolling"):
        raise InputError(f"there is no protocol {quoted(protocol)} for a text: there are strided and rolling")
    if protocol == "rolling":
        if stride is not None:
            raise InputError("rolling windows have no stride: leave --stride out, or say --protocol strided")
        how = "rolling: <|endoftext|> first, every token scored once, one token of context before each window"
        return Task(how, texts.rolling_units, texts.record, texts.reduce)
    if stride is not None:
        stride = check_number(stride, "the stride", whole=True)

    def prepare(text, tokenizer, n_ctx):
        return texts.strided_units(text, tokenizer, n_ctx, n_ctx if stride is None else stride)

    how = f"strided: windows {stride or 'of the context'} tokens apart, a window's first token not scored"
    return Task(how, prepare, texts.record, texts.reduce)


def find_task(name, protocol=None, stride=None):
    """The Task of a name. Raises InputError for an unknown one, and for a choice that it does not leave."""
    if not isinstance(name, str) or name not in (*TASKS, "text"):
        raise InputError(f"there is no task {quoted(name)}: there are {', '.join([*TASKS, 'text'])}")
    if name == "text":
        return text_task("strided" if protocol is None else protocol, stride)
    if protocol is not None or stride is not None:
        raise InputError(f"{name} has its protocol: --protocol and --stride are for the task text")
    return TASKS[name]
