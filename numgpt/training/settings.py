"""The settings of a training run, with their defaults and allowed values."""

from dataclasses import asdict, dataclass, field, fields

from numgpt.backend import float_type
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.numbers import check_number
from numgpt.training.schedule import SCHEDULES

TASKS = ("text", "translate", "classify")


def setting(default, text, low=None, below=None, above=None):
    """A field of Settings: its default, its help, and its range: low <= value, above < value < below."""
    return field(default=default, metadata={"help": text, "low": low, "below": below, "above": above})


@dataclass(frozen=True)
class Settings:
    """The settings of one training run. The defaults suit a text of about a megabyte and half an hour on two cores.

    Raises InputError for a value of the wrong type or outside its range.
    """

    task: str = setting(
        "text",
        "text: a GPT learns to continue a text; translate: a Transformer learns from a TSV of pairs; classify: an "
        "encoder learns from a TSV of texts and labels",
    )
    tokenizer: str = setting(
        "bpe", "char, word or bpe (learnt from the text), gpt2, another model's name, or a folder with vocabulary files"
    )
    vocab_size: int = setting(1024, "size of bpe's vocabulary", low=257)
    n_layer: int = setting(4, "transformer blocks; translate: blocks of the encoder and of the decoder each", low=1)
    n_head: int = setting(4, "attention heads; must divide --n-embd", low=1)
    n_embd: int = setting(192, "channels", low=1)
    context: int = setting(
        128,
        "tokens in a training sequence, and the context of a new model; with --init, by default that model's "
        "context; translate and classify: texts with more tokens are left out",
        low=1,
    )
    dropout: float = setting(
        0.1, "probability of dropping an activation; with --init, by default that model's dropout", low=0, below=1
    )
    batch_size: int = setting(16, "sequences in a batch; with --init, by default 1024 tokens' worth", low=1)
    batch_tokens: int = setting(
        3500, "translate and classify: maximum number of tokens per batch on each side, padding included", low=1
    )
    accumulate: int = setting(1, "batches whose gradients are added up for one step", low=1)
    max_steps: int = setting(3000, "total number of steps", low=1)
    lr: float = setting(1e-3, "peak learning rate", above=0)
    min_lr: float = setting(1e-4, "final learning rate; if only --lr is given, a tenth of --lr", low=0)
    warmup: int = setting(
        100, "steps in which the learning rate rises to --lr; by default at most a tenth of --max-steps", low=0
    )
    schedule: str = setting(
        "cosine",
        "after the warm-up, cosine: the learning rate falls to --min-lr; inverse-root: it falls as 1 / sqrt(step), as "
        "in the Transformer of 2017",
    )
    label_smoothing: float = setting(
        0.1, "translate: share of each target that is spread over all tokens", low=0, below=1
    )
    beta1: float = setting(0.9, "AdamW's decay of the average gradient", low=0, below=1)
    beta2: float = setting(0.99, "AdamW's decay of the average squared gradient", low=0, below=1)
    weight_decay: float = setting(0.1, "AdamW's weight decay, on matrices only", low=0)
    clip: float = setting(1.0, "maximum gradient norm; 0: no limit", low=0)
    ema: float = setting(
        0.0, "evaluate and save a moving average of the weights, with this decay; 0: off", low=0, below=1
    )
    eval_every: int = setting(250, "steps between evaluations, after early ones at steps 8, 16, 32, ...", low=1)
    eval_batches: int = setting(200, "maximum number of batches of held-out text to evaluate; 0: all of them", low=0)
    bleu_sentences: int = setting(500, "translate: held-out sentences to compute BLEU on; 0: none", low=0)
    save_every: int = setting(250, "steps between checkpoints; after two minutes, one is saved in any case", low=1)
    keep: int = setting(2, "how many of the newest checkpoints to keep; the best one is kept as well", low=1)
    sample_every: int = setting(0, "steps between samples of text; 0: one with each evaluation", low=0)
    patience: int = setting(
        0, "end after this many evaluations, --eval-every apart, without a lower loss; 0: never", low=0
    )
    seed: int = setting(0, "seed of the initial weights, the batches and dropout", low=0)
    dtype: str = setting("float32", "float32 or float64")
    val_fraction: float = setting(0.1, "fraction of the data, at its end, to hold out", above=0, below=1)
    end_of_text: str = setting("token", "read <|endoftext|> in a text as a token, which ends a document, or as text")
    documents: str = setting(
        "apart", "apart: no token is predicted from another document; joined: all documents are one text"
    )
    recompute: bool = setting(False, "run forward twice to save memory: a third less memory, more time")
    init: str | None = setting(None, "start from this model (a published name or a folder) and its tokenizer")

    def __post_init__(self):
        for here in fields(self):
            check(here, getattr(self, here.name))
        GPTConfig(1, self.context, self.n_embd, self.n_head, self.n_layer, self.dropout)
        float_type(self.dtype)
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise InputError(f"{option(name)} must be {' or '.join(words)}, not {quoted(getattr(self, name))}")

    def differences(self, options):
        """ "--lr is 0.1 here, but 0.001 in the run" for each of `options` (name -> value) that differs."""
        return [
            f"{option(name)} is {value} here, but {getattr(self, name)} in the run"
            for name, value in options.items()
            if value != getattr(self, name)
        ]

    def as_dict(self):
        """name -> value of all settings, for JSON."""
        return asdict(self)


# settings that may change when a run is resumed
HARMLESS = ("eval_every", "save_every", "sample_every", "keep", "patience", "bleu_sentences", "recompute")

WORDS = {
    "task": TASKS,
    "schedule": SCHEDULES,
    "end_of_text": ("token", "text"),
    "documents": ("apart", "joined"),
}

# settings that only some tasks have
OF_TASK = {
    "text": ("tokenizer", "batch_size", "end_of_text", "documents", "recompute"),
    "translate": ("batch_tokens", "label_smoothing", "bleu_sentences"),
    "classify": ("batch_tokens",),
}


def option(name):
    """The option of the command line for a setting."""
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
            raise InputError(f"{option(here.name)} must be a non-empty string, not {quoted(value)}")
        return
    limits = {name: here.metadata[name] for name in ("low", "above", "below")}
    check_number(value, option(here.name), here.type is int, **limits)
