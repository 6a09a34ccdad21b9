#!/usr/bin/env python3
"""What only a GPU can show: that numgpt is right on it, and how fast. One command, a few minutes, one table.

    python scripts/gpu_check.py [--json FILE] [PART ...]

Needs a GPU, CuPy and NumPy; the comparisons also torch and transformers, without which their lines say so. The parts
are gradients (every gradient check, and every kernel against its definition), parity (the 124M shape against numgpt on
the CPU, against its definitions on the GPU and against PyTorch), precision (the gradient in tf32 and bf16 against the
exact one), steps (ten training steps against the CPU's), training, decoding and memory (against PyTorch and
transformers, in turn in one run). Speeds are ratios, the peer's time over numgpt's: above 1, numgpt is faster. The exit
status is 1 if something is wrong, 2 if there is no GPU; a ratio that misses its target is reported, but is no error. If
a part fails, the others still run.
"""

import argparse
import gc
import json
import platform
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402  (after the path to numgpt is known)

from benchmarks.gpu_peers import (  # noqa: E402
    ADAMW,
    torch_model,
    torch_peak,
    torch_results,
    torch_step,
    transformers_generate,
)
from benchmarks.gpu_table import Table  # noqa: E402
from numgpt import GPT, AdamW, GPTConfig, generate, gradcheck  # noqa: E402
from numgpt.backend import cuda_problem, gpu_figures, synchronize, to_device, to_host  # noqa: E402
from numgpt.kernels import set_precision, use_kernels  # noqa: E402
from numgpt.training import clip_gradients  # noqa: E402

SMALL = GPTConfig()  # the 124M shape
DEVICE = "cuda"
CHECKS = gradcheck.CHECKS
PARITY_SHAPE = 3, 1024  # the fewest rows for which attention takes two blocks of queries
STEPS_SHAPE, TRAINING_SHAPE = (4, 64), (8, 1024)
PROMPT, NEW_TOKENS = 32, 64
PAIRS = 10


def distance(found, expected):
    """|found - expected| / |expected| over norms, in float64."""
    found, expected = (np.asarray(to_host(x), np.float64) for x in (found, expected))
    return float(np.linalg.norm(found - expected) / (np.linalg.norm(expected) or 1.0))


def batch(shape):
    """(ids, targets), (B, T) each."""
    return np.random.default_rng(0).integers(0, SMALL.n_vocab, (2, *shape))


def check_gradients(table):
    """Every check of `numgpt gradcheck`: the error of each that is largest relative to its tolerance."""
    for name in CHECKS:
        rows = list(gradcheck.check(name, device=DEVICE))
        worst = max(rows, key=lambda row: row.error / row.tolerance if row.error == row.error else np.inf)
        table.add(f"gradients and kernels: {name}", worst.error, worst.tolerance, tensors=len(rows))


def check_parity(table):
    """Logits, loss and every gradient, in exact float32, against the CPU's, the definitions' and PyTorch's."""
    ids, targets = batch(PARITY_SHAPE)
    ours = GPT(SMALL, device=DEVICE)
    logits, loss, gradients = our_results(ours, ids, targets)
    for peer, run, package in (
        ("numgpt on the CPU", cpu_results, "numpy"),
        ("the definitions on the GPU", definitions_results, "numpy"),
        ("PyTorch", torch_results, "torch"),
    ):
        if table.lacks(package, f"parity with {peer}"):
            continue
        peer_logits, peer_loss, peer_gradients = run(ours, ids, targets)
        table.add(f"logits against {peer}, 124M, float32", distance(logits, peer_logits), 1e-4)
        table.add(f"loss against {peer}", abs(loss - peer_loss) / peer_loss, 1e-4)
        errors = {name: distance(grad, peer_gradients[name]) for name, grad in gradients.items()}
        worst = max(errors, key=errors.get)
        table.add(f"gradients against {peer}, worst: {worst}", errors[worst], 1e-4, tensors=errors)


def our_results(model, ids, targets):
    """Logits, loss, and name -> gradient, on the host."""
    logits, loss = to_host(model.forward(ids)), model.loss(ids, targets)
    model.backward()
    return logits, loss, {name: to_host(grad) for name, _, grad in model.named_parameters()}


def cpu_results(_, ids, targets):
    """The same for the same model on the CPU."""
    return our_results(GPT(SMALL), ids, targets)


def definitions_results(_, ids, targets):
    """The same without the GPU's kernels."""
    with use_kernels("plain"):
        return our_results(GPT(SMALL, device=DEVICE), ids, targets)


def check_precision(table):
    """The gradient with products in tf32 and bf16 against the exact one: off by some, but no more than by rounding."""
    ids, targets = batch(PARITY_SHAPE)
    model = GPT(SMALL, device=DEVICE)
    gradients = {}
    for precision in "float32", "tf32", "bf16":
        set_precision(precision, DEVICE)
        model.zero_grad()
        model.loss(ids, targets)
        model.backward()
        gradients[precision] = to_host(model.grads)
    for precision, most in ("tf32", 1e-2), ("bf16", 1e-1):
        error = distance(gradients[precision], gradients["float32"])
        table.add(f"gradient in {precision} against float32", error, most)
        table.add(f"gradient in {precision}: whether products are rounded", error, 1e-6, at_most=False)


def check_steps(table):
    """Ten steps of AdamW on one batch: the losses before each of them."""
    losses = []
    for device in "cpu", DEVICE:
        step = our_step(GPT(SMALL, device=device), STEPS_SHAPE)
        losses.append([step() for _ in range(10)])
    worst = max(abs(a - b) / a for a, b in zip(*losses, strict=True))
    table.add("ten training steps: losses against numgpt on the CPU", worst, 1e-3, losses=losses)


def our_step(model, shape):
    """A function: forward, backward, clipping and AdamW on one batch; returns the loss."""
    optimizer = AdamW(model, **ADAMW)
    ids, targets = batch(shape)

    def step():
        model.zero_grad()
        loss = model.loss(ids, targets)
        model.backward()
        clip_gradients(model, 1.0)
        optimizer.step()
        return loss

    return step


def seconds(function, device):
    """How long a function takes until the GPU has finished."""
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - start


def compare_times(table, what, theirs, ours, target):
    """Time both in turn, after a warm-up; add the median of the ratios."""
    for function in (theirs, ours) * 2:
        function()
    pairs = [(seconds(theirs, DEVICE), seconds(ours, DEVICE)) for _ in range(PAIRS)]
    ratios = sorted(a / b for a, b in pairs)
    peer, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    details = {"peer_seconds": peer, "numgpt_seconds": own, "ratio_min": ratios[0], "ratio_max": ratios[-1]}
    table.add(what, statistics.median(ratios), target, at_most=False, decides=False, **details)


def check_training(table):
    """A training step of the 124M shape against eager PyTorch's."""
    for precision, peer, target in ("tf32", "tf32", 0.6), ("bf16", "autocast bf16", 0.5):
        what = f"training step, 124M, B=8 T=1024, {precision}: PyTorch {peer}"
        if table.lacks("torch", what):
            continue
        import torch

        ours = GPT(SMALL, device=DEVICE)
        theirs = torch_step(torch_model(ours), *batch(TRAINING_SHAPE), autocast=precision == "bf16")
        torch.set_float32_matmul_precision("high")
        set_precision(precision, DEVICE)
        compare_times(table, what, theirs, our_step(ours, TRAINING_SHAPE), target)
        del ours, theirs
        free_memory()


def check_memory(table):
    """The peak memory of a training step in float32."""
    what = "peak memory, training, 124M, B=8 T=1024: over PyTorch's"
    if table.lacks("torch", what):
        return
    ours = GPT(SMALL, device=DEVICE)
    theirs = torch_peak(torch_step(torch_model(ours), *batch(TRAINING_SHAPE), autocast=False))
    free_memory()
    own = our_peak(our_step(ours, TRAINING_SHAPE))
    table.add(what, own / theirs, 1.2, decides=False, peer_bytes=theirs, numgpt_bytes=own)


def our_peak(step):
    """The peak memory of a step, in bytes, counted as CuPy's pool hands them out and takes them back."""
    import cupy

    class Peak(cupy.cuda.MemoryHook):
        name = "peak"
        used = most = cupy.get_default_memory_pool().used_bytes()

        def malloc_postprocess(self, **given):
            self.used += given["mem_size"]
            self.most = max(self.most, self.used)

        def free_postprocess(self, **given):
            self.used -= given["mem_size"]

    step()
    Peak.used = Peak.most = cupy.get_default_memory_pool().used_bytes()
    with Peak() as peak:
        step()
    return peak.most


def free_memory():
    """Free memory that is no longer used, so that one side's leftovers do not count against the other."""
    import cupy

    gc.collect()
    cupy.get_default_memory_pool().free_all_blocks()
    if sys.modules.get("torch"):
        sys.modules["torch"].cuda.empty_cache()


def check_decoding(table):
    """Greedy generation against transformers', in float32: 32 tokens read, 64 written."""
    for B, target in (1, 1.0), (64, 0.7):
        what = f"decoding, 124M, batch {B}: transformers' generate"
        ids = np.random.default_rng(0).integers(0, SMALL.n_vocab, (B, PROMPT))
        if table.lacks("transformers", what):
            continue
        ours = GPT(SMALL, device=DEVICE)
        theirs = transformers_generate(ours, ids, NEW_TOKENS)
        run = lambda ids=ids, ours=ours: generate(ours, ids, max_new_tokens=NEW_TOKENS, temperature=0)  # noqa: E731
        compare_times(table, what, theirs, run, target)
        table.rows[-1]["same_tokens"] = float((theirs() == run()).mean())


PARTS = {
    "gradients": check_gradients,
    "parity": check_parity,
    "precision": check_precision,
    "steps": check_steps,
    "training": check_training,
    "decoding": check_decoding,
    "memory": check_memory,
}


def run_part(name, table):
    """Run a part; whatever happens in it, the next finds exact products and free memory."""
    try:
        PARTS[name](table)
    except Exception as error:
        table.failed(name, error)
    set_precision("float32", DEVICE)
    free_memory()


def machine():
    """The machine that the figures belong to."""
    versions = {"Python": platform.python_version(), "NumPy": np.__version__}
    for name in "torch", "transformers":
        if sys.modules.get(name):
            versions[name] = sys.modules[name].__version__
    return dict(gpu_figures()) | versions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--json", metavar="FILE", default="gpu_check.json", help="default gpu_check.json")
    args = parser.parse_args()
    if set(args.parts) - set(PARTS):
        parser.error(f"there are {', '.join(PARTS)}")
    problem = cuda_problem()
    if problem:
        print(f"nothing can be measured here: {problem}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    to_device(np.zeros(1), DEVICE)  # so that the first part's time does not include starting the GPU
    table = Table()
    for name in args.parts or PARTS:
        run_part(name, table)
    result = {"machine": machine(), "seconds": time.perf_counter() - started, "rows": table.rows}
    Path(args.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{result['machine']}\n{result['seconds']:.0f} s; written to {args.json}")
    return 1 if any(row.get("error") for row in table.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
