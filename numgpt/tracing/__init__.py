"""What happens inside a model: every value and every gradient by name, and how the loss changes without a part."""

from numgpt.tracing.ablation import Ablation, ablate
from numgpt.tracing.result import Lens, Trace
from numgpt.tracing.walk import names_of, trace

__all__ = ["Ablation", "Lens", "Trace", "ablate", "names_of", "trace"]
