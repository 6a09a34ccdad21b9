"""Whether config.json describes a GPT-2 at all: the keys in which related models differ from it, and what they mean."""

from numgpt.errors import InputError
from numgpt.files import quoted

ROTARY = "positions as rotations of queries and keys, where GPT-2 adds a learnt vector"
GROUPED = "grouped-query attention: heads that share keys and values, where each of GPT-2's has its own"
EXPERTS = "a mixture of experts, where GPT-2 has one feed-forward network in a block"
CROSS = "attention to the states of an encoder, which GPT-2 does not have"
LOCAL = "attention to the nearest positions only, where GPT-2's sees all earlier ones"
BESIDE = "attention and feed-forward network in parallel, where GPT-2 has one after the other"
RMS = "RMSNorm, where GPT-2 has LayerNorm"
ALIBI = "positions as a bias of the attention scores, where GPT-2 adds a learnt vector"
BIDIRECTIONAL = "attention to later positions as well, where GPT-2's sees only earlier ones"
GATED = "a gated feed-forward network (SwiGLU and the like), where GPT-2's has no gate"
PACKED = "weights packed into a few bits each, which numgpt does not unpack"

TRANSFORMER = "numgpt-transformer"  # model_type of numgpt's own encoder and decoder, which is not a GPT-2
CLASSIFIER = "numgpt-classifier"  # of its encoder alone, with a head for labels
OWN = {
    TRANSFORMER: ("a Transformer, which translates", "translate"),
    CLASSIFIER: ("a Classifier, which labels texts", "classify"),
}  # what they are, and the command that reads them

OTHER_KEYS = {
    **dict.fromkeys(("add_cross_attention", "is_encoder_decoder", "cross_attention_hidden_size"), CROSS),
    **dict.fromkeys(("rotary_dim", "rotary_pct", "rotary_emb_base", "rotary", "use_rotary"), ROTARY),
    **dict.fromkeys(("rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor"), ROTARY),
    **dict.fromkeys(("multi_query", "num_key_value_heads", "num_kv_heads", "n_head_kv"), GROUPED),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "n_experts"), EXPERTS),
    **dict.fromkeys(("num_experts_per_tok", "moe"), EXPERTS),
    **dict.fromkeys(("sliding_window", "window_size", "attention_types", "attention_layers"), LOCAL),
    **dict.fromkeys(("parallel_attn", "use_parallel_residual", "parallel_residual"), BESIDE),
    **dict.fromkeys(("rms_norm_eps", "use_rms_norm", "rms_norm"), RMS),
    "alibi": ALIBI,
    "bidirectional": BIDIRECTIONAL,
    "mlp_gate": GATED,
    "quantization_config": PACKED,
}
HEAD_KEYS = ("num_key_value_heads", "num_kv_heads", "n_head_kv")  # as many as there are heads: GPT-2's attention
EXPERT_KEYS = [key for key, meaning in OTHER_KEYS.items() if meaning is EXPERTS]
LEARNT_POSITIONS = ("absolute", "learned", "learned_absolute", None)


def check_architecture(fields, path):
    """Raise InputError for a key of `fields`, those of config.json, that describes another model than a GPT-2."""
    kind = fields.get("model_type", "gpt2")
    if kind in OWN:
        what, command = OWN[kind]
        raise InputError(f"{path}: {what} and is not a GPT: `numgpt {command} --model` reads it")
    if kind != "gpt2":
        raise InputError(
            f"{path}: model_type is {quoted(kind)}: another architecture; numgpt computes models with GPT-2's parts"
        )
    heads = fields.get("n_head", fields.get("num_attention_heads", 12))
    for key, meaning in OTHER_KEYS.items():
        value = fields.get(key)
        same = (key in HEAD_KEYS and value == heads) or (key in EXPERT_KEYS and value == 1)
        if value not in (None, False) and not same:
            raise InputError(f"{path}: {key} is {quoted(value)}: {meaning}; numgpt runs GPT-2")
    positions = fields.get("position_embedding_type")
    if positions not in LEARNT_POSITIONS:
        raise InputError(
            f"{path}: position_embedding_type is {quoted(positions)}, whereas GPT-2 adds a learnt vector for each "
            "position; numgpt runs GPT-2"
        )
