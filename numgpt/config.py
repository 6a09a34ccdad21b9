"""The size of a model, in the field names of OpenAI's `hparams.json`."""

from dataclasses import dataclass, fields

from numgpt.errors import InputError


@dataclass(frozen=True)
class GPTConfig:
    """The shape of a GPT-2.

    n_vocab: number of token ids (V). n_ctx: longest sequence (T <= n_ctx). n_embd: channels (C).
    n_head: attention heads (H), a divisor of n_embd. n_layer: transformer blocks.
    dropout: probability of dropping an activation while training.

    Raises InputError for a size that is not a positive whole number, for n_embd not divisible by n_head
    and for a dropout outside [0, 1).
    """

    n_vocab: int = 50257
    n_ctx: int = 1024
    n_embd: int = 768
    n_head: int = 12
    n_layer: int = 12
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name == "dropout":
                continue
            size = getattr(self, field.name)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise InputError(f"{field.name} must be a whole number of at least 1, not {size!r}")
        if self.n_embd % self.n_head:
            raise InputError(
                f"n_embd ({self.n_embd}) must be divisible by n_head ({self.n_head}): every head gets an equal share"
            )
        if not isinstance(self.dropout, (int, float)) or not 0 <= self.dropout < 1:
            raise InputError(f"dropout must be at least 0 and below 1, not {self.dropout!r}")


# Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", table 2, as released.
OFFICIAL_SIZES = {
    "124M": GPTConfig(n_embd=768, n_head=12, n_layer=12),
    "355M": GPTConfig(n_embd=1024, n_head=16, n_layer=24),
    "774M": GPTConfig(n_embd=1280, n_head=20, n_layer=36),
    "1558M": GPTConfig(n_embd=1600, n_head=25, n_layer=48),
}
