import numpy as np


def embedding_backward(dy, ids, dweight):
    np.add.at(dweight, ids, dy)
