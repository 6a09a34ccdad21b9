"""What the letters of the formulas mean: those that mean the same everywhere, and those of single chapters."""

from collections.abc import Callable

EVERYWHERE = {
    "B": "sequences in a batch",
    "T": "positions of a sequence",
    "C": "channels of a vector, the width of the model",
    "H": "heads",
    "D": "channels of a head, C/H",
    "V": "tokens of the vocabulary",
    "S": "keys that a query may attend to, cached ones included",
    "N": "targets that count",
    "n": "an index over positions, of all sequences together",
    "c": "an index over channels",
    "x": "the input of a layer; dx is the gradient of the loss at x, of x's shape, and likewise for every other letter",
    "y": "the output of a layer; dy is the gradient of the loss at y, with which the backward pass begins",
    "weight": "a parameter that multiplies",
    "bias": "a parameter that is added",
    "W": "the weight of an inner linear layer",
    "b": "the bias of an inner linear layer",
    "ids": "tokens, as whole numbers",
    "logits": "the scores of all tokens",
    "targets": "the tokens that come next, as ids; -1 does not count",
    "loss": "the mean surprise at the targets, in nats",
    "sum": "the sum over the index below it; if none is given, over all positions",
    "mean": "the mean over the axis or index below it",
    "softmax": "exp of each, divided by their sum over the index below it",
    "dropout": "0 with the probability of dropping, else divided by its complement: chapter Dropout",
    "sqrt": "the square root",
    "exp": "e to the power of",
    "log": "the natural logarithm",
    "max": "the larger of",
    "tanh": "the hyperbolic tangent",
    "sin": "the sine",
    "cos": "the cosine",
    "pi": "3.14159...",
    "inf": "infinity",
    "eps": "a small number that keeps a divisor from being 0",
}

ATTENTION = {
    "q": "queries, what each position asks for",
    "k": "keys, what each position answers to",
    "v": "values, what each position gives",
    "s": "scores, how well a query and a key agree",
    "p": "probabilities, how much each position takes from every other",
    "o": "what a head has gathered",
    "t": "an index over queries",
    "u": "an index over keys",
    "scale": "1/sqrt(D)",
    "heads": "C channels cut into heads of D: (B, T, C) becomes (B, H, T, D)",
    "merge": "the inverse of heads",
}
LOSS = {
    "p": "the probabilities that the model gives to all tokens",
    "v": "an index over tokens",
}

# By the name of the module.
OF_CHAPTERS = {
    "linear": {"i": "an index over inputs", "o": "an index over outputs"},
    "embedding": {"N": "rows of the table", "i": "an id", "v": "an index over tokens"},
    "layernorm": {
        "mu": "the mean over channels",
        "rstd": "one over the standard deviation",
        "xhat": "x normalised",
        "g": "the gradient at xhat",
        "i": "an index over channels",
        "j": "another index over channels",
    },
    "gelu": {"t": "tanh(u)", "u": "the argument of tanh", "u'": "the slope of u", "slope": "dy/dx"},
    "gelu_erf": {
        "Phi": "the probability that a draw from N(0, 1) is below",
        "phi": "the density of N(0, 1)",
        "erf": "the error function",
        "z": "its argument",
        "t": "the variable of the integral",
        "f": "a function with a series of its own",
        "f'": "the slope of f",
        "a": "the coefficients of that series",
    },
    "swish": {"g": "the gate, a sigmoid", "beta": "how steep the gate is"},
    "attention": ATTENTION | {"w": "another index over keys"},
    "feedforward": {
        "act": "the activation function, GELU unless another is given",
        "fc": "the first linear layer; fc.backward leads from the gradient at its output to that at its input",
        "proj": "the second linear layer",
    },
    "dropout": {"m": "the mask", "p": "the probability of dropping"},
    "loss": LOSS,
    "block": {
        "h": "the residual stream between attention and the feed-forward network",
        "attn": "attention; attn.backward leads from the gradient at its output to that at its input",
        "mlp": "the feed-forward network",
        "ln_1": "LayerNorm before attention",
        "ln_2": "LayerNorm before the feed-forward network",
    },
    "cross_attention": ATTENTION
    | {
        "memory": "the vectors of the text that is attended to",
        "padding": "where the memory's text has ended",
        "b": "the bias of an inner linear layer; as an index, a text of the batch",
    },
    "sinusoids": {"place": "the vector of a position", "t": "a position", "i": "a pair of channels; of dweight, an id"},
    "masked_mean": {
        "share": "the share of the mean that a position has",
        "padding": "where the text has ended",
        "N": "positions of a text, padding left out",
        "b": "a text of the batch",
        "t": "a position",
    },
    "smoothing": LOSS
    | {"q": "the probabilities to learn, in place of the target alone", "e": "the share that is spread"},
    "optimizer": {
        "w": "a parameter",
        "g": "its gradient",
        "m": "the running mean of g",
        "v": "the running mean of the square of g",
        "mhat": "m without the pull towards 0",
        "vhat": "v without the pull towards 0",
        "t": "the number of the step",
        "beta1": "the share of m that each step keeps",
        "beta2": "the share of v that each step keeps",
        "lr": "the learning rate",
        "weight_decay": "the share of w that each step takes off, times lr",
    },
}


def entries(chapter: str) -> Callable[[str], str | None]:
    """A function: name -> the anchor of its entry in a chapter; None if there is none."""
    own = OF_CHAPTERS.get(chapter, {})

    def known(name: str) -> str | None:
        if name in own:
            return anchor(name, chapter)
        if name in EVERYWHERE:
            return anchor(name)
        if name.endswith(".backward"):
            return known(name.removesuffix(".backward"))
        return known(name[1:]) if name[0] == "d" and name[1:] else None

    return known


def anchor(name: str, chapter: str = "") -> str:
    """The id of an entry's element."""
    return f"{chapter or 'letter'}-{name}".replace("'", "-prime")
