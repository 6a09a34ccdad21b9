"""The models that numgpt trained itself and brings along."""

from pathlib import Path

SHIPPED = ("shakespeare",)

_PACKAGE = Path(__file__).resolve().parents[1]


def find_shipped(name):
    """The folder of a model that comes with numgpt, by its name; None for any other name.

    An installed wheel has it inside the package; a source checkout, and an editable install of it, beside the package.
    """
    if name not in SHIPPED:
        return None
    inside, beside = _PACKAGE / "weights" / name, _PACKAGE.parent / "weights" / name
    return inside if inside.is_dir() else beside
