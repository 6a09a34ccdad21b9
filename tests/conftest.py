"""What every test may ask for."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of oracles and texts beside the checkout; a test that needs it is skipped where it is missing."""
    if not (SHARED / "oracles").is_dir():
        pytest.skip("the folder of oracles is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def golden():
    """Numbers made by other software, small enough to commit; scripts/golden/ makes them."""
    return Path(__file__).parent / "golden"
