"""`device="cuda"` on a machine without a GPU."""

import sys

import pytest

import fake_cupy
from numgpt import kernels

GPU_FILES = ["gpu", "gpu_attention", "gpu_loss", "gpu_matmul"]


@pytest.fixture(scope="session")
def fake_module():
    return fake_cupy


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
