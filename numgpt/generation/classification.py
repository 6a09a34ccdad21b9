"""Which label a text has, by a Classifier: many texts at a time."""

from collections.abc import Sequence

import numpy as np

from numgpt.generation.loop import check_finite
from numgpt.generation.sampling import log_softmax
from numgpt.generation.translation import BATCH_TOKENS, filled_up, in_batches
from numgpt.model import Classifier


def classify(model: Classifier, texts: Sequence[Sequence[int]]) -> list[list[float]]:
    """The probabilities of the labels, in the order of `model.labels`, for each text, its ids.

    The model is in eval mode, or dropout blurs them. Texts of like length are read together. Raises InputError as
    `Classifier.forward` does, for a text without tokens, and for a model whose logits are not finite numbers.
    """
    return in_batches(texts, BATCH_TOKENS, lambda batch: classify_batch(model, batch))


def classify_batch(model: Classifier, texts: Sequence[Sequence[int]]) -> list[list[float]]:
    """As `classify`, in one batch."""
    logits = model.forward(filled_up(texts))
    check_finite(logits)
    probabilities: list[list[float]] = np.exp(log_softmax(logits)).tolist()
    return probabilities
