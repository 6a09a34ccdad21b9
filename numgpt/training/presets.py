"""Presets: named settings of whole runs that are known to work well."""

from dataclasses import dataclass, field, replace

from numgpt.config import TransformerConfig
from numgpt.errors import InputError
from numgpt.training.settings import OF_TASK, Settings, option

BATCH_TOKENS = 1024  # in a batch for fine-tuning: one sequence of GPT-2's context, or several of a smaller model's
SHAPE = ("tokenizer", "vocab_size", "n_layer", "n_head", "n_embd")


@dataclass(frozen=True)
class Preset:
    """The purpose of a preset, in one line, and its settings that differ from the defaults of Settings."""

    purpose: str
    options: dict = field(default_factory=dict)


# char-small and char-large are the two character models that nanoGPT's README trains on Tiny Shakespeare
# (https://github.com/karpathy/nanoGPT, config/train_shakespeare_char.py and the README's version of it for a CPU).
PRESETS = {
    "small": Preset(
        "the default: 1.9 million parameters, a vocabulary of 1024 tokens; half an hour on two cores with AVX2"
    ),
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
        "the smallest GPT-2, 124 million parameters, from random weights; days on a CPU",
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
        "small steps from a trained model; the default with --init",
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
    "translate": Preset(
        "a Transformer of 4.3 million parameters; the default with --task translate; an hour or more on a laptop",
        {
            "task": "translate",
            "vocab_size": 6000,
            "n_layer": 3,
            "n_head": 6,
            "n_embd": 192,
            "max_steps": 6000,
            "lr": 1.5e-3,
            "min_lr": 1.5e-5,
            "warmup": 300,
            "beta2": 0.98,
            "weight_decay": 0.01,
            "eval_every": 500,
            "eval_batches": 20,
            "save_every": 500,
            "val_fraction": 0.02,
        },
    ),
    "fine-tune-translate": Preset(
        "small steps from a trained Transformer; the default with --task translate --init",
        {
            "task": "translate",
            "max_steps": 500,
            "lr": 2e-4,
            "min_lr": 1e-5,
            "warmup": 50,
            "beta2": 0.98,
            "weight_decay": 0.01,
            "eval_every": 100,
            "eval_batches": 20,
            "save_every": 100,
            "val_fraction": 0.02,
        },
    ),
    "classify": Preset(
        "an encoder of a million parameters that labels texts; the default with --task classify",
        {
            "task": "classify",
            "vocab_size": 4000,
            "n_layer": 2,
            "n_head": 4,
            "n_embd": 128,
            "context": 256,
            "batch_tokens": 3000,
            "max_steps": 1500,
            "beta2": 0.98,
            "weight_decay": 0.01,
            "eval_every": 100,
            "eval_batches": 0,
            "save_every": 500,
        },
    ),
    "fine-tune-classify": Preset(
        "small steps from a trained classifier; the default with --task classify --init",
        {
            "task": "classify",
            "context": 256,
            "batch_tokens": 3000,
            "max_steps": 300,
            "lr": 2e-4,
            "min_lr": 1e-5,
            "warmup": 30,
            "beta2": 0.98,
            "weight_decay": 0.01,
            "eval_every": 50,
            "eval_batches": 0,
            "save_every": 100,
        },
    ),
}
DEFAULTS = {("text", False): "small", ("text", True): "fine-tune"} | {
    ("translate", False): "translate",
    ("translate", True): "fine-tune-translate",
    ("classify", False): "classify",
    ("classify", True): "fine-tune-classify",
}  # (task, whether --init is given)


def choose(preset, options, start=None):
    """The Settings of the preset named `preset` (None: the one in DEFAULTS), with `options` (name -> value) applied.

    start: the configuration of the model of --init, whose dropout and context are the defaults. If the options contain
    lr without min_lr, or max_steps without warmup, the missing one follows, so that the learning rate still rises and
    falls. Raises InputError for an unknown preset, for a setting outside its range, and for options that would change
    the shape of an existing model.
    """
    fixed = [option(name) for name in SHAPE if name in options and options.get("init")]
    if fixed:
        raise InputError(f"{' and '.join(fixed)} cannot be chosen: the model of --init {options['init']} decides that")
    task = task_named(preset, options)
    preset = named(preset or DEFAULTS.get((task, bool(options.get("init"))), "small"))
    check_task(task, options)
    fitting = fit(preset.options, options, start) if start else {}
    settings = Settings(**{**preset.options, **fitting, **options})
    if "lr" in options and "min_lr" not in options:
        settings = replace(settings, min_lr=settings.lr / 10)
    if "warmup" not in options:
        settings = replace(settings, warmup=min(settings.warmup, settings.max_steps // 10))
    return settings


def task_named(preset, options):
    """The task that the options or the named preset ask for. Raises InputError for an unknown preset."""
    return options.get("task") or (named(preset).options.get("task") if preset else None) or "text"


def check_task(task, options):
    """Raise InputError if one of `options` is for another task."""
    others = [name for names in OF_TASK.values() for name in names if name in options and name not in OF_TASK[task]]
    if others:
        raise InputError(f"{option(others[0])} is not for --task {task}: leave it out")


def fit(preset, options, start):
    """The defaults that follow from the configuration `start`, name -> value, unless the preset sets them.

    A GPT's n_ctx limits the preset's context; a Transformer has no such limit.
    """
    if isinstance(start, TransformerConfig):
        return {"dropout": start.dropout}
    context = min(preset.get("context", start.n_ctx), start.n_ctx)
    batch_size = max(1, BATCH_TOKENS // max(1, options.get("context", context)))
    return {"context": context, "dropout": start.dropout, "batch_size": preset.get("batch_size", batch_size)}


def named(name):
    """The Preset of that name. Raises InputError if there is none."""
    if name not in PRESETS:
        raise InputError(f"there is no preset {name!r}: choose from {', '.join(PRESETS)}")
    return PRESETS[name]
