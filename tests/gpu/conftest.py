"""`device="cuda"` on a machine without a GPU."""

import importlib.util
import sys
from pathlib import Path

import pytest

from numgpt import kernels

GPU_FILES = ["gpu", "gpu_attention", "gpu_loss", "gpu_matmul"]


@pytest.fixture(scope="session")
def fake_module():
    """tests/gpu/fake_cupy.py, as a module."""
    spec = importlib.util.spec_from_file_location("fake_cupy", Path(__file__).parent / "fake_cupy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(fake_module, monkeypatch):
    """The stand-in for CuPy, which `import cupy` finds while the test runs."""
    for name in GPU_FILES:
        monkeypatch.delitem(sys.modules, f"numgpt.kernels.{name}", raising=False)
        monkeypatch.delattr(kernels, name, raising=False)
    fake_module.install(monkeypatch.setitem)
    yield fake_module
    for name in GPU_FILES:
        sys.modules.pop(f"numgpt.kernels.{name}", None)
        vars(kernels).pop(name, None)
    fake_module.ALLOCATED.clear()
