"""Everything that a training run can be told, with its default and what is allowed."""

from dataclasses import asdict, dataclass, field, fields

from numgpt.backend import float_type
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_number
from numgpt.training.schedule import SCHEDULES

TASKS = ("text", "translate", "classify")


def setting(default, text, low=None, below=None, above=None):
    """A field of Settings: its default, what the help says, and its range: low <= value, above < value < below."""
    return field(default=default, metadata={"help": text, "low": low, "below": below, "above": above})


@dataclass(frozen=True)
class Settings:
    """One training run. The defaults suit a text of about a megabyte and half an hour on two cores.

    Raises InputError for a value of the wrong type or outside its range.
    """

    task: str = setting(
        "text",
        "text: a GPT learns to continue; translate: a Transformer learns from a TSV of pairs; classify: its encoder "
        "learns labels from a TSV of texts",
    )
    tokenizer: str = setting("bpe", "char, word or bpe (made of the text), gpt2, or a folder with vocabulary files")
    vocab_size: int = setting(1024, "how many tokens bpe learns", low=257)
    n_layer: int = setting(4, "transformer blocks; translate: of the encoder, and as many of the decoder", low=1)
    n_head: int = setting(4, "attention heads, a divisor of --n-embd", low=1)
    n_embd: int = setting(192, "channels", low=1)
    context: int = setting(
        128,
        "tokens in a training sequence; a new model reads as many; not named, --init's own; translate and "
        "classify: tokens of a text at most, longer ones are left out",
        low=1,
    )
    dropout: float = setting(0.1, "probability of dropping an activation; not named, --init's own", low=0, below=1)
    batch_size: int = setting(16, "sequences in a batch; not named, 1024 tokens with --init", low=1)
    batch_tokens: int = setting(
        3500, "translate, classify: tokens in a batch, of each side, at most, padding included", low=1
    )
    accumulate: int = setting(1, "batches whose gradients are added up for one step", low=1)
    max_steps: int = setting(3000, "steps in all", low=1)
    lr: float = setting(1e-3, "learning rate at its highest", above=0)
    min_lr: float = setting(1e-4, "learning rate at the end; where only --lr is named, a tenth of it", low=0)
    warmup: int = setting(100, "steps in which the rate rises to --lr; not named, a tenth of the steps at most", low=0)
    schedule: str = setting(
        "cosine", "cosine: the rate then falls to --min-lr at the end; inverse-root: as 1 / sqrt(step), as in 2017"
    )
    label_smoothing: float = setting(0.1, "translate: share of a target that all tokens have", low=0, below=1)
    beta1: float = setting(0.9, "AdamW's memory of the gradient", low=0, below=1)
    beta2: float = setting(0.99, "AdamW's memory of the squared gradient", low=0, below=1)
    weight_decay: float = setting(0.1, "AdamW's weight decay, on matrices only", low=0)
    clip: float = setting(1.0, "maximum gradient norm; 0: no limit", low=0)
    ema: float = setting(0.0, "decay of the weights' moving average, which is then kept; 0: none", low=0, below=1)
    eval_every: int = setting(
        250, "steps from one evaluation to the next; before the first, after 8, 16, 32, ...", low=1
    )
    eval_batches: int = setting(200, "batches of held-out text in an evaluation at most; 0: all of it", low=0)
    bleu_sentences: int = setting(500, "translate: held-out sentences that BLEU is taken of; 0: none", low=0)
    save_every: int = setting(250, "steps from one checkpoint to the next, which is two minutes away at most", low=1)
    keep: int = setting(2, "how many checkpoints are kept, the newest; the best is kept besides", low=1)
    sample_every: int = setting(0, "steps from one sample of text to the next; 0: one with each evaluation", low=0)
    patience: int = setting(
        0, "end after so many evaluations, each --eval-every, without a lower loss; 0: never", low=0
    )
    seed: int = setting(0, "draws the first weights, the batches and dropout", low=0)
    dtype: str = setting("float32", "float32 or float64")
    val_fraction: float = setting(0.1, "share of the text, its end, that is held out", above=0, below=1)
    end_of_text: str = setting("token", "what <|endoftext|> in a text is: token (where one document ends), or text")
    documents: str = setting(
        "apart", "apart: nothing is predicted from another document; joined: documents are one text"
    )
    recompute: bool = setting(
        False, "keep less for backward, and go forward twice: two thirds of the memory, more time"
    )
    init: str | None = setting(None, "start from this model, a published name or a folder, with its tokenizer")

    def __post_init__(self):
        for here in fields(self):
            check(here, getattr(self, here.name))
        GPTConfig(1, self.context, self.n_embd, self.n_head, self.n_layer, self.dropout)
        float_type(self.dtype)
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise InputError(f"{option(name)} must be {' or '.join(words)}, not {quoted(getattr(self, name))}")

    def differences(self, options):
        """ "--lr is 0.1 here, but 0.001 in the run" for each of `options` (name -> value) that is not as set here."""
        return [
            f"{option(name)} is {value} here, but {getattr(self, name)} in the run"
            for name, value in options.items()
            if value != getattr(self, name)
        ]

    def as_dict(self):
        """name -> value of all settings, for JSON."""
        return asdict(self)


# what a run may be resumed with other values of
HARMLESS = ("eval_every", "save_every", "sample_every", "keep", "patience", "bleu_sentences", "recompute")

WORDS = {
    "task": TASKS,
    "schedule": SCHEDULES,
    "end_of_text": ("token", "text"),
    "documents": ("apart", "joined"),
}

# what only one of the tasks can be told
OF_TASK = {
    "text": ("tokenizer", "batch_size", "end_of_text", "documents", "recompute"),
    "translate": ("batch_tokens", "label_smoothing", "bleu_sentences"),
    "classify": ("batch_tokens",),
}


def option(name):
    """The command line's word for a setting."""
    return "--" + name.replace("_", "-")


def check(here, value):
    """Raise InputError unless `value` suits the field `here` of Settings."""
    if value is None and here.default is None:
        return
    if here.type is bool:
        if not isinstance(value, bool):
            raise InputError(f"{option(here.name)} must be true or false, not {quoted(value)}")
        return
    if here.type not in (int, float):
        if not isinstance(value, str) or not value:
            raise InputError(f"{option(here.name)} must be a text, not {quoted(value)}")
        return
    limits = {name: here.metadata[name] for name in ("low", "above", "below")}
    check_number(value, option(here.name), here.type is int, **limits)
