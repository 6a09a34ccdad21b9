"""Part 1: the text, its bytes, and the merges that made each token, step by step."""

from typing import Any

from numgpt.explain.subject import Subject
from numgpt.tokenizer import BPETokenizer
from numgpt.tokenizer.bpe import find_pieces, next_merge


class Vocabulary:
    """The tokens that a page mentions: id -> its text, or its bytes if they are not a text by themselves."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.mentioned: dict[int, str | list[int]] = {}

    def mention(self, ids: Any) -> Any:
        """Remember the tokens of an id or of an array of ids, which is returned."""
        for token in {int(i) for i in getattr(ids, "flat", [ids])}:
            if token >= 0 and token not in self.mentioned:
                self.mentioned[token] = self.spell(token)
        return ids

    def spell(self, token: int) -> str | list[int]:
        """The text of a token, or the list of its bytes."""
        if self.tokenizer is None or token >= self.tokenizer.n_vocab:
            return f"#{token}"
        special = {i: text for text, i in getattr(self.tokenizer, "special", {}).items()}
        if token in special:
            return special[token]
        data = self.tokenizer.decode_bytes([token])
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return list(data)


def token_part(subject: Subject, vocabulary: Vocabulary) -> dict[str, Any]:
    """ids, targets, their bytes; and for a BPE tokenizer the pieces of the prompt, with every merge."""
    vocabulary.mention(subject.ids)
    vocabulary.mention(subject.targets)
    tokenizer = subject.tokenizer
    part: dict[str, Any] = {
        "ids": subject.ids.tolist(),
        "targets": subject.targets.tolist(),
        "n_prompt": subject.n_prompt,
        "own_target": subject.own_target,
        "kind": "none" if tokenizer is None else type(tokenizer).__name__.removesuffix("Tokenizer").lower(),
        "bytes": [] if tokenizer is None else [list(tokenizer.decode_bytes([i])) for i in subject.ids.tolist()],
    }
    if isinstance(tokenizer, BPETokenizer):
        part["pieces"] = pieces(tokenizer, subject.prompt, vocabulary)
    return part


def pieces(tokenizer: BPETokenizer, text: str, vocabulary: Vocabulary) -> list[dict[str, Any]]:
    """For each piece of the text: the ids of its bytes, its steps (place, new id, rank of the merge), its final ids."""
    byte_ids, rank, made = tokenizer.algorithm
    found = []
    for piece in find_pieces(text):
        start = [byte_ids[byte] for byte in piece.encode()]
        ids, steps = list(start), []
        while step := next_merge(ids, rank):
            first, place = step
            ids[place : place + 2] = [made[first]]
            steps.append([place, made[first], first])
        for token in {*start, *ids, *(new for _, new, _ in steps)}:
            vocabulary.mention(token)
        found.append({"text": piece, "bytes": start, "steps": steps, "ids": ids})
    return found
