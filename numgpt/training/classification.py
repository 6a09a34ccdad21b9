"""The parts of a run that trains a Classifier: the counterpart of numgpt.training.language for labelled texts."""

from collections import Counter
from dataclasses import replace

import numpy as np

from numgpt.backend import to_device
from numgpt.checkpoint import open_classifier
from numgpt.errors import InputError
from numgpt.files import quoted
from numgpt.loading import load_classifier, read_folder
from numgpt.model import Classifier
from numgpt.tokenizer.marks import train_bpe_with_marks
from numgpt.training.data import PARTS, open_part, record_of, write_part
from numgpt.training.documents import counted
from numgpt.training.labelled_batches import HeldOutTexts, LabelledBatches, LabelledPart
from numgpt.training.pairs import read_pairs
from numgpt.training.tokenizers import BETWEEN
from numgpt.training.translation import new_config, part_of_pairs, shape_of

__all__ = ["blank", "open_data", "sample", "shape_of", "start", "start_config", "write"]

COLUMNS = ("text", "label")


def start(data, val_data, settings, device, progress):
    """(source, tokenizer, model) of a new run. Raises InputError and OSError."""
    source = read_pairs(data, val_data, COLUMNS)
    learnt, held_out = source.split(settings.val_fraction)
    if settings.init:
        begun, tokenizer = load_classifier(settings.init, settings.dtype)
        config, labels = replace(begun.config, dropout=settings.dropout), begun.labels
        check_known(source.pairs, labels, f"--init {settings.init} has no label")
    else:
        labels = labels_of(source.name, learnt)
        text = BETWEEN.join(text for text, _ in learnt)
        begun, tokenizer = None, train_bpe_with_marks(text, settings.vocab_size, progress)
        config = new_config(tokenizer.n_vocab, settings)
    check_known(held_out, labels, "no text to train on has the label")
    model = Classifier(config, labels, settings.seed, settings.dtype, device)
    if begun is not None:
        model.values[...] = to_device(begun.values, device)
    return source, tokenizer, model


def labels_of(name, lines):
    """The labels in (text, label) lines, sorted. Raises InputError for a single label, or for too many to learn."""
    labels = sorted({label for _, label in lines})
    if len(labels) < 2:
        raise InputError(f"{name} has only one label to train on, {quoted(labels[0])}: there is nothing to tell apart")
    if len(labels) > len(lines) / 2:
        raise InputError(
            f"{name} has {len(labels):,} labels for {counted(len(lines), 'text')} to train on, too many to learn: "
            "each line must be a text, a TAB and its label, in this order"
        )
    return labels


def check_known(lines, labels, what):
    """Raise InputError, its message beginning with `what`, if a line of (text, label) has any other label."""
    known = set(labels)
    for text, label in lines:
        if label not in known:
            raise InputError(
                f"{what} {quoted(label)}, the label of {quoted(text)}: remove that text, or add more like it"
            )


def start_config(init):
    """The TransformerConfig of the model that --init names. Raises InputError and OSError as loading it does."""
    return read_folder(init, True, open_classifier)[0].config


def write(source, tokenizer, settings, folder, model):
    """Write the tokens to `folder`; return (DataRecord, lines for the user).

    A text and its label are stored as a pair whose second text is the label's number. Texts of more than `context`
    tokens are left out. Raises InputError if none is left.
    """
    numbers = {label: i for i, label in enumerate(model.labels)}
    n_left_out = 0
    for name, lines, what in zip(PARTS, source.split(settings.val_fraction), ("to train on", "held out"), strict=True):
        encoded = [(tokenizer.encode(text), [numbers[label]]) for text, label in lines]
        short = [line for line in encoded if len(line[0]) <= settings.context]
        if not short:
            raise InputError(f"no text {what} is short enough: give more, or a larger --context")
        write_part(folder, name, part_of_pairs(short, max(tokenizer.n_vocab, len(numbers))))
        n_left_out += len(encoded) - len(short)
    left_out = f"Left out: {counted(n_left_out, 'text')} with more than --context {settings.context} tokens."
    notices = [line for lines in (source, source.held_out) if lines for line in lines.notices]
    return record_of(source, folder), [say_labels(source), left_out if n_left_out else None, *notices]


def say_labels(source):
    """A line for the user: how many texts have each label."""
    most = Counter(label for _, label in source.pairs).most_common(11)
    shown = ", ".join(f"{quoted(label)} {n:,}" for label, n in most[:10])
    return f"Labels: {shown}{', ...' if len(most) > 10 else ''}."


def blank(checkpoint, settings, device):
    """A model without weights, with the checkpoint's shape and the settings' dropout."""
    stored, labels = open_classifier(checkpoint)
    return Classifier(replace(stored.config, dropout=settings.dropout), labels, None, settings.dtype, device)


def open_data(folder, settings, tokenizer, model):
    """(training batches, held-out data) from the tokens in `folder`."""
    train, held_out = (LabelledPart(open_part(folder, name)) for name in PARTS)
    rng = np.random.default_rng([settings.seed, 1])
    evaluation = HeldOutTexts(held_out, settings.batch_tokens, settings.eval_batches, tokenizer)
    return LabelledBatches(train, settings.batch_tokens, rng), evaluation


def sample(model, session):
    """A few held-out texts with the labels that the model gives them, as text."""
    return session.held_out.sample(model)
