"""The parts of a run that trains a Transformer: the counterpart of numgpt.training.language for pairs of texts."""

from dataclasses import replace

import numpy as np

from numgpt.backend import to_device
from numgpt.checkpoint import open_transformer
from numgpt.config import TransformerConfig
from numgpt.loading import load_transformer, read_folder
from numgpt.model import Transformer
from numgpt.tokenizer.marks import train_bpe_with_marks
from numgpt.training.data import PARTS, open_part, record_of, write_part
from numgpt.training.documents import counted
from numgpt.training.held_out_pairs import HeldOutPairs
from numgpt.training.pair_batches import PairBatches, PairPart, check_not_empty
from numgpt.training.pairs import read_pairs
from numgpt.training.part import Part
from numgpt.training.tokenizers import BETWEEN


def start(data, val_data, settings, device, progress):
    """(source, tokenizer, model) of a new run. Raises InputError and OSError."""
    source = read_pairs(data, val_data)
    if settings.init:
        begun, tokenizer = load_transformer(settings.init, settings.dtype)
        config = replace(begun.config, dropout=settings.dropout)
    else:
        learnt, _ = source.split(settings.val_fraction)
        text = BETWEEN.join(side for pair in learnt for side in pair)
        begun, tokenizer = None, train_bpe_with_marks(text, settings.vocab_size, progress)
        config = new_config(tokenizer.n_vocab, settings)
    model = Transformer(config, settings.seed, settings.dtype, device)
    if begun is not None:
        model.values[...] = to_device(begun.values, device)
    return source, tokenizer, model


def new_config(vocab, settings):
    """The TransformerConfig of a new model: pre-norm, which tolerates a high learning rate from the first steps on."""
    C = settings.n_embd
    return TransformerConfig(
        vocab, C, settings.n_head, 4 * C, settings.n_layer, norm_first=True, final_norm=True, dropout=settings.dropout
    )


def start_config(init):
    """The TransformerConfig of the model that --init names. Raises InputError and OSError as loading it does."""
    return read_folder(init, True, open_transformer).config


def shape_of(config):
    """The settings that a model's configuration decides, name -> value."""
    return {"n_layer": config.layers, "n_head": config.heads, "n_embd": config.d_model}


def write(source, tokenizer, settings, folder, _):
    """Write the tokens to `folder`; return (DataRecord, lines for the user).

    Pairs with more than `context` tokens on a side are left out. Raises InputError if none is left.
    """
    n_left_out = 0
    for name, pairs, what in zip(PARTS, source.split(settings.val_fraction), ("to train on", "held out"), strict=True):
        encoded = [[tokenizer.encode(side) for side in pair] for pair in pairs]
        short = [pair for pair in encoded if max(map(len, pair)) <= settings.context]
        check_not_empty(len(short), what)
        write_part(folder, name, part_of_pairs(short, tokenizer.n_vocab))
        n_left_out += len(encoded) - len(short)
    left_out = f"Left out: {counted(n_left_out, 'pair')} with more than --context {settings.context} tokens on a side."
    notices = [line for pairs in (source, source.held_out) if pairs for line in pairs.notices]
    return record_of(source, folder), [left_out if n_left_out else None, *notices]


def part_of_pairs(pairs, n_vocab):
    """The Part of pairs of lists of ids, each list a document."""
    texts = [text for pair in pairs for text in pair]
    ends = np.cumsum([len(text) for text in texts])
    ids = np.concatenate(texts).astype(np.uint16 if n_vocab <= 1 << 16 else np.uint32)
    return Part(ids, np.stack([np.concatenate([[0], ends[:-1]]), ends], 1))


def blank(checkpoint, settings, device):
    """A model without weights, with the checkpoint's shape and the settings' dropout."""
    config = replace(open_transformer(checkpoint).config, dropout=settings.dropout)
    return Transformer(config, None, settings.dtype, device)


def open_data(folder, settings, tokenizer, _):
    """(training batches, held-out data) from the tokens in `folder`."""
    train, held_out = (PairPart(open_part(folder, name)) for name in PARTS)
    rng = np.random.default_rng([settings.seed, 1])
    batches = PairBatches(train, settings.batch_tokens, settings.label_smoothing, rng)
    evaluation = HeldOutPairs(
        held_out, settings.batch_tokens, settings.eval_batches, settings.bleu_sentences, tokenizer
    )
    return batches, evaluation


def sample(model, session):
    """A few held-out sources with the model's translations, as text."""
    return session.held_out.sample(model)
