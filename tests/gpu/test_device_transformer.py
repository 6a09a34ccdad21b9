"""The first Transformer on the device, by its kernels and by the definitions."""

import pytest

import translation


@pytest.mark.parametrize("name", translation.NAMES)
def test_as_pytorch_computes_it(fake, kind, golden, name):
    translation.check(golden / "transformer" / name, "cuda", lambda array: array.get())
