"""Named settings: whole runs that are known to go well."""

from dataclasses import dataclass, field, replace

from numgpt.errors import InputError
from numgpt.training.settings import Settings, option

BATCH_TOKENS = 1024  # that a batch has in fine-tuning: one text of GPT-2's, or several of a smaller model's
SHAPE = ("tokenizer", "vocab_size", "n_layer", "n_head", "n_embd")


@dataclass(frozen=True)
class Preset:
    """What a preset is for, in a line, and the settings that are not the defaults of Settings."""

    purpose: str
    options: dict = field(default_factory=dict)


# char-small and char-large are the two character models that nanoGPT's README trains on Tiny Shakespeare
# (https://github.com/karpathy/nanoGPT, config/train_shakespeare_char.py and the README's version of it for a CPU).
PRESETS = {
    "small": Preset("1.9 million parameters and 1024 tokens learnt from the text: some minutes on a laptop"),
    "char-small": Preset(
        "nanoGPT's character model for a CPU: 4 layers, 4 heads, 128 channels; a minute or two",
        {
            "tokenizer": "char",
            "n_layer": 4,
            "n_head": 4,
            "n_embd": 128,
            "context": 64,
            "dropout": 0.0,
            "batch_size": 12,
            "max_steps": 2000,
        },
    ),
    "char-large": Preset(
        "nanoGPT's character model for a GPU: 6 layers, 6 heads, 384 channels; hours on a CPU",
        {
            "tokenizer": "char",
            "n_layer": 6,
            "n_head": 6,
            "n_embd": 384,
            "context": 256,
            "dropout": 0.2,
            "batch_size": 64,
            "max_steps": 5000,
        },
    ),
    "gpt2": Preset(
        "GPT-2's smallest published size, 124 million parameters, from nothing: days on a CPU",
        {
            "tokenizer": "gpt2",
            "n_layer": 12,
            "n_head": 12,
            "n_embd": 768,
            "context": 1024,
            "dropout": 0.0,
            "batch_size": 4,
            "accumulate": 8,
            "max_steps": 20000,
            "lr": 6e-4,
            "min_lr": 6e-5,
            "warmup": 700,
            "beta2": 0.95,
        },
    ),
    "fine-tune": Preset(
        "small steps from a model that can already write; what --init takes where no other preset is named",
        {
            "max_steps": 200,
            "lr": 3e-5,
            "min_lr": 3e-6,
            "warmup": 20,
            "beta2": 0.999,
            "weight_decay": 0.01,
            "eval_every": 50,
            "eval_batches": 20,
            "save_every": 50,
        },
    ),
}


def choose(preset, options, start=None):
    """The Settings of a preset's name (None: "small", or "fine-tune" with --init) with `options` (name -> value) set.

    start: the GPTConfig of the model of --init, whose dropout and context are the defaults. min_lr and
    warmup follow lr and max_steps where only these are among the options, so that the learning rate still rises and
    falls. Raises InputError for an unknown preset, for a setting outside its range, and for options on the shape of a
    model that exists.
    """
    fixed = [option(name) for name in SHAPE if name in options and options.get("init")]
    if fixed:
        raise InputError(f"{' and '.join(fixed)} cannot be chosen: --init {options['init']} has them already")
    preset = named(preset or ("fine-tune" if options.get("init") else "small"))
    fitting = fit(preset.options, options, start) if start else {}
    settings = Settings(**{**preset.options, **fitting, **options})
    if "lr" in options and "min_lr" not in options:
        settings = replace(settings, min_lr=settings.lr / 10)
    if "warmup" not in options:
        settings = replace(settings, warmup=min(settings.warmup, settings.max_steps // 10))
    return settings


def fit(preset, options, start):
    """The defaults that follow from the GPTConfig `start`, name -> value, where a preset says nothing else.

    A preset's context is not longer than the model can read.
    """
    context = min(preset.get("context", start.n_ctx), start.n_ctx)
    batch_size = max(1, BATCH_TOKENS // max(1, options.get("context", context)))
    return {"context": context, "dropout": start.dropout, "batch_size": preset.get("batch_size", batch_size)}


def named(name):
    """The Preset of that name. Raises InputError where there is none."""
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]
