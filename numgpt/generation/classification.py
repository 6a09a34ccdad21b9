"""Labelling texts with a Classifier, many at a time."""

from collections.abc import Sequence

import numpy as np

from numgpt.generation.loop import check_finite
from numgpt.generation.sampling import log_softmax
from numgpt.generation.translation import BATCH_TOKENS, filled_up, in_batches
from numgpt.model import Classifier


def classify(model: Classifier, texts: Sequence[Sequence[int]]) -> list[list[float]]:
    """For each text, given as ids, the probabilities of the labels in the order of `model.labels`.

    The model should be in eval mode: dropout would blur them. Texts of similar length are read together. Raises
    InputError as `Classifier.forward` does, for a text without tokens, and for a model whose logits are not finite
    numbers.
    """
    return in_batches(texts, BATCH_TOKENS, lambda batch: classify_batch(model, batch))


def classify_batch(model: Classifier, texts: Sequence[Sequence[int]]) -> list[list[float]]:
    """`classify` in one batch."""
    logits = model.forward(filled_up(texts))
    check_finite(logits)
    probabilities: list[list[float]] = np.exp(log_softmax(logits)).tolist()
    return probabilities
