"""The machine that the figures were measured on."""

import os
import platform
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import numgpt

AVX2 = "NUMGPT_BENCH_AVX2"  # set in an environment without AVX-512 on a processor that has it


def facts():
    """The machine and the versions of all software that takes part, as a dict for JSON."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": processor(),
        "vectors": vectors(),
        "cores": cores,
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), "numgpt": numgpt.__version__} | versions(),
        "blas": blas(),
    }


def processor():
    """The processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def vectors():
    """The widest vector instructions that NumPy uses here, "AVX-512" or "AVX2", or "other"."""
    from numpy._core._multiarray_umath import __cpu_features__ as has

    emulated = " (emulated)" if os.environ.get(AVX2) else ""
    return next((name for name, flag in (("AVX-512", "AVX512_SKX"), ("AVX2", "AVX2")) if has[flag]), "other") + emulated


def as_avx2():
    """The environment in which NumPy, OpenBLAS and PyTorch use AVX2 at most; each reads it when it is imported."""
    from numpy._core._multiarray_umath import __cpu_dispatch__ as names
    from numpy._core._multiarray_umath import __cpu_features__ as has

    wide = [name for name in names if has[name] and name.startswith(("AVX512", "X86_V4"))]
    return os.environ | {
        AVX2: "1",
        "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    }


def versions():
    """{package: version}, None if it is not installed."""
    found = {}
    for name in ("numpy", "threadpoolctl", "regex", "torch", "transformers", "tokenizers", "tiktoken"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def blas():
    """What NumPy's matrix products run on, and on how many threads; None without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    keys = ("internal_api", "version", "architecture", "num_threads")
    return [{key: found.get(key) for key in keys} for found in threadpool_info() if found["user_api"] == "blas"]
