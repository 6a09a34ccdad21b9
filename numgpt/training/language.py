"""The parts of a run that trains a GPT on text: its data, tokenizer, model, batches and evaluation.

numgpt.training.translation and numgpt.training.classification have functions of the same names for the other tasks.
"""

from dataclasses import replace

import numpy as np

from numgpt.backend import to_device
from numgpt.checkpoint import open_checkpoint
from numgpt.config import GPTConfig
from numgpt.errors import InputError
from numgpt.loading import load, read_folder
from numgpt.model import GPT
from numgpt.tokenizer import no_vocabulary
from numgpt.training.data import open_tokens, prepare
from numgpt.training.evaluate import HeldOut
from numgpt.training.source import read_source
from numgpt.training.tokenizers import choose_tokenizer, say_end_of_text
from numgpt.training.windows import windows_of

SAMPLE_TOKENS = 120


def start(data, val_data, settings, device, progress):
    """(source, tokenizer, model) of a new run, tokenizer None if the data are tokens. Raises InputError, OSError."""
    source = read_source(data, val_data)
    begun = None
    if settings.init:
        begun, tokenizer = load(settings.init, dtype=settings.dtype)
    else:
        tokenizer = choose_tokenizer(source, settings, progress)
    if tokenizer is None and source.documents is not None:
        raise InputError(f"{no_vocabulary(settings.init)}; or give tokens (.npy) in place of {data}, which is a text")
    return source, tokenizer, build(settings, source, tokenizer, begun, device)


def start_config(init):
    """The GPTConfig of the model that --init names. Raises InputError and OSError as `load` does."""
    return read_folder(init, False, open_checkpoint).config


def build(settings, source, tokenizer, begun, device):
    """The model to train: a new one, or one with the weights of `begun`. Raises InputError for too long a context."""
    if begun is None:
        n_vocab = tokenizer.n_vocab if tokenizer else int(max(file.tokens.max() for file in source.files)) + 1
        shape = settings.n_embd, settings.n_head, settings.n_layer
        config = GPTConfig(n_vocab, settings.context, *shape, settings.dropout)
        return GPT(config, settings.seed, settings.dtype, device, settings.recompute)
    shape = begun.config
    if settings.context > shape.n_ctx:
        raise InputError(f"--context {settings.context} is more than the {shape.n_ctx} that {settings.init} can read")
    config = replace(shape, dropout=settings.dropout)
    model = GPT(config, settings.seed, settings.dtype, device, settings.recompute)
    model.values[...] = to_device(begun.values, device)
    return model


def shape_of(config):
    """The settings that a model's configuration decides, name -> value."""
    return {name: getattr(config, name) for name in ("n_layer", "n_head", "n_embd")}


def write(source, tokenizer, settings, folder, model):
    """Write the tokens to `folder`; return (DataRecord, lines for the user). Raises as `prepare` does."""
    record = prepare(source, tokenizer, settings, folder, model.config.n_vocab)
    end_of_text = say_end_of_text(source, tokenizer, settings)
    return record, [end_of_text, *(line for file in source.files for line in file.notices)]


def blank(checkpoint, settings, device):
    """A model without weights, with the checkpoint's shape and the settings' dropout."""
    config = replace(open_checkpoint(checkpoint).config, dropout=settings.dropout)
    return GPT(config, None, settings.dtype, device, settings.recompute)


def open_data(folder, settings, tokenizer, model):
    """(training batches, held-out data) from the tokens in `folder`."""
    train, held_out = open_tokens(folder, settings.context)
    if tokenizer is not None:
        model.n_tokens = tokenizer.n_vocab  # a published model may have more rows than its tokenizer has tokens
    return batches_of(train, settings), HeldOut(
        held_out, settings.context, settings.batch_size, settings.eval_batches, tokenizer
    )


def batches_of(part, settings):
    """The Windows of a Part to train on."""
    rng = np.random.default_rng([settings.seed, 1])
    return windows_of(part, settings.batch_size, settings.context, rng)


def sample(model, session):
    """The held-out text before the first target, and the model's continuation of it; None without a tokenizer."""
    from numgpt.generation import generate

    tokenizer = session.tokenizer
    if tokenizer is None:
        return None
    ids = generate(
        model,
        [session.held_out.prompt],
        SAMPLE_TOKENS,
        temperature=0.8,
        top_k=40,
        seed=session.settings.seed,
        stop_ids=tokenizer.end_of_text,
    )
    return tokenizer.decode([token for token in ids[0].tolist() if token != tokenizer.end_of_text])
