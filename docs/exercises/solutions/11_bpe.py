from itertools import pairwise


def merge(ids, rank, made):
    while True:
        found = [(rank[pair], place) for place, pair in enumerate(pairwise(ids)) if pair in rank]
        if not found:
            return ids
        first, place = min(found)
        ids[place : place + 2] = [made[first]]
