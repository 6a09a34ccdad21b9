"""`device="cuda"` on a machine without a GPU."""

import sys

import pytest

import fake_cupy
from numgpt import kernels, use_kernels

PLAIN = kernels.plain()  # the whole suite runs with NUMGPT_KERNELS=plain


@pytest.fixture
def kernels_run():
    """For a test of the GPU's kernels themselves, which has nothing to say where the whole suite runs without."""
    if PLAIN:
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")


@pytest.fixture(params=kernels.KINDS)
def kind(request):
    """ "fast", then "plain": the GPU computes by its kernels, then by the definitions."""
    if PLAIN and request.param == "fast":
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")
    with use_kernels(request.param):
        yield request.param


@pytest.fixture(scope="session")
def fake_module():
    return fake_cupy


@pytest.fixture
def fresh_kernels():
    """The GPU's kernels bind the CuPy that there is when they are imported: each test imports them anew."""
    forget_gpu_kernels()
    yield
    forget_gpu_kernels()


def forget_gpu_kernels():
    for name in [name for name in sys.modules if name.startswith("numgpt.kernels.gpu")]:
        del sys.modules[name]
    vars(kernels).pop("gpu", None)
    kernels.namesake.cache_clear()


@pytest.fixture
def fake(fake_module, fresh_kernels, monkeypatch):
    """The stand-in for CuPy, which `import cupy` finds while the test runs."""
    fake_module.install(monkeypatch.setitem)
    yield fake_module
    fake_module.ALLOCATED.clear()
