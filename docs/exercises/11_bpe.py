"""Exercise 11: the merges of byte-pair encoding.

A piece of text begins as its bytes. Of all pairs of neighbours, the one whose merge was learnt first becomes one token.
This is repeated until no pair has a merge.

Hint: before each merge, look at every pair of neighbours. Take the pair of the lowest rank, and the leftmost one if
several pairs have that rank: `min` over (rank, place) does both.

The bug that people make: they look up the rank of a token instead of the rank of a pair, so that nothing is ever
merged. Or they merge from left to right, whatever the rank: https://github.com/pie-project/pie/pull/83

    numgpt gradcheck docs/exercises/11_bpe.py
"""

from numgpt.gradcheck import held_to
from numgpt.tokenizer import bpe


def merge(ids, rank, made):
    """The ids after all merges, a list. rank: {(left id, right id): its place in the order of learning}.

    made: the id that each merge makes, in that order.
    """
    raise NotImplementedError("the merges of a piece")


def check():
    rank = {(104, 101): 0, (116, 256): 1, (110, 110): 2, (101, 110): 3, (259, 110): 4, (258, 258): 5}
    made = [256, 257, 258, 259, 260, 261]
    for piece in ("then", "hens", "thennn", "nnnnn", "enn", "x", ""):
        ids = list(piece.encode())
        yield held_to(f'"{piece}"', merge(list(ids), rank, made), bpe.merge(ids, rank, made))
