"""What the figures were measured on."""

import os
import platform
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

import numgpt


def facts():
    """The machine and the versions of all software that takes part, as a dict for JSON."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "processor": processor(),
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


def versions():
    """{package: version}, None where it is not installed."""
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
