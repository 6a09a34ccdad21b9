"""The tasks by name. To see what one does, follow its functions: prepare, score, reduce."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from numgpt.errors import InputError
from numgpt.evaluation import hellaswag, lambada, stop_words, texts, wikitext
from numgpt.evaluation.shared_context import score_units
from numgpt.files import quoted
from numgpt.numbers import check_number

WIKITEXT = "wikitext-2-raw.test.txt"
LAMBADA = "lambada_test.jsonl"
HELLASWAG = "hellaswag_val.jsonl"


@dataclass(frozen=True)
class Task:
    """A protocol.

    prepare(text, name of the file, tokenizer, n_ctx) -> (Units, totals); score(model, tokenizer, Units, batch_size) ->
    a record, a dict for JSON, for each Unit; reduce(records, totals) -> figures, totals being {} if only some of the
    Units were scored. protocol: one line for the reader. file: the usual name of the text, None if the user names one.
    n_ctx: the context that the protocol asks for; None: the model's own.
    """

    protocol: str
    prepare: Callable
    score: Callable
    reduce: Callable
    file: str | None = None
    n_ctx: int | None = None


def by_windows(record):
    """The `score` of a Task that scores its Units' windows; record(unit, scores) makes each record."""
    return partial(score_by_windows, record)  # unlike a nested function, it can be sent to another process


def score_by_windows(record, model, tokenizer, units, batch_size):
    """The record of each Unit."""
    found = score_units(model, units, batch_size)
    return [record(unit, scores) for unit, scores in zip(units, found, strict=True)]


def hf(stride):
    """WikiText as in Hugging Face's guide; stride None: the context, so that windows do not overlap."""
    if stride is not None:
        stride = check_number(stride, "the stride", whole=True)

    def prepare(text, name, tokenizer, n_ctx):
        return texts.strided_units(texts.join_rows(text), tokenizer, n_ctx, min(stride or n_ctx, n_ctx))

    how = "disjoint windows" if stride is None else f"windows {stride} tokens apart"
    protocol = f"Hugging Face's guide: rows joined by two line breaks, {how} of 1024, a window's first token not scored"
    return Task(protocol, prepare, by_windows(texts.record), texts.reduce, WIKITEXT, 1024)


TASKS = {
    "wikitext-hf-1024": hf(None),
    "wikitext-hf-512": hf(512),
    "wikitext-lm-eval": Task(
        "lm-evaluation-harness: each page detokenised, after <|endoftext|>, rolling windows with one token of context; "
        "divided by the words and bytes of the page as it was",
        wikitext.page_units,
        by_windows(wikitext.record),
        wikitext.reduce,
        WIKITEXT,
    ),
    "lambada-lm-eval": Task(
        "lm-evaluation-harness: all tokens of the passage's last word; perplexity per word, accuracy where each is the "
        "likeliest",
        lambada.last_word_units,
        by_windows(lambada.record),
        lambada.reduce,
        LAMBADA,
    ),
    "lambada-last-token": Task(
        "the passage's last token alone, which may be only the end of a word",
        lambada.last_token_units,
        by_windows(lambada.record),
        lambada.reduce_last_token,
        LAMBADA,
    ),
    "lambada-stop-words": Task(
        "cybertronai/bflm: three tokens are written, none of them a stop word, and their first word has to be the "
        "passage's last",
        stop_words.units,
        stop_words.score,
        stop_words.reduce,
        LAMBADA,
    ),
    "hellaswag-lm-eval": Task(
        'lm-evaluation-harness: "activity: context", without the marks in brackets; accuracy_norm by characters',
        hellaswag.harness_units,
        by_windows(hellaswag.record),
        hellaswag.reduce,
        HELLASWAG,
    ),
    "hellaswag-llm.c": Task(
        "llm.c: the context as it is, each ending after a space; accuracy_norm by tokens",
        hellaswag.llm_c_units,
        by_windows(hellaswag.record),
        hellaswag.reduce,
        HELLASWAG,
    ),
}


def text_task(protocol, stride):
    """The Task for any text: protocol "strided" with a stride, None being the context, or "rolling"."""
    if not isinstance(protocol, str) or protocol not in ("strided", "rolling"):
        raise InputError(f"there is no protocol {quoted(protocol)} for a text: choose strided or rolling")
    if protocol == "rolling":
        if stride is not None:
            raise InputError("rolling windows have no stride: leave --stride out, or say --protocol strided")
        how = "rolling: <|endoftext|> first, every token scored once, one token of context before each window"
        return Task(how, texts.rolling_units, by_windows(texts.record), texts.reduce)
    if stride is not None:
        stride = check_number(stride, "the stride", whole=True)

    def prepare(text, name, tokenizer, n_ctx):
        return texts.strided_units(text, tokenizer, n_ctx, n_ctx if stride is None else stride)

    how = f"strided: windows {stride or 'of the context'} tokens apart, a window's first token not scored"
    return Task(how, prepare, by_windows(texts.record), texts.reduce)


def find_task(name, protocol=None, stride=None):
    """The Task of a name. Raises InputError for an unknown one, and for a protocol or stride that the task fixes."""
    if not isinstance(name, str) or name not in (*TASKS, "text"):
        raise InputError(f"there is no task {quoted(name)}: choose from {', '.join([*TASKS, 'text'])}")
    if name == "text":
        return text_task("strided" if protocol is None else protocol, stride)
    if protocol is not None or stride is not None:
        raise InputError(f"{name} fixes its protocol: --protocol and --stride are only for the task text")
    return TASKS[name]
