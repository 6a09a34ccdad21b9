"""A classifier on the device, by the kernels and by the definitions."""

import pytest

import classification


@pytest.mark.parametrize("name", classification.NAMES)
def test_as_pytorch_computes_it(fake, kind, golden, name):
    classification.check(golden / "classifier" / name, "cuda", lambda array: array.get())
