"""GPT-2's family: nine configurations of our own, and the oracles' twelve, by kernels and by the definitions."""

import pytest

import family
from numgpt import kernels, use_kernels


@pytest.mark.parametrize("kind", kernels.KINDS)
@pytest.mark.parametrize("family_folder", family.ALL, indirect=True)
def test_logits_loss_and_gradients(family_folder, kind):
    if kernels.plain() and kind == "fast":
        pytest.skip("NUMGPT_KERNELS=plain: no kernel runs")
    with use_kernels(kind):
        family.check(family_folder)
