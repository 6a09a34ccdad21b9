"""GPT-2's family on the device, by its kernels and by the definitions."""

import pytest

import family


@pytest.mark.parametrize("family_folder", family.ALL, indirect=True)
def test_logits_loss_and_gradients(fake, kind, family_folder):
    family.check(family_folder, "cuda", lambda array: array.get())
