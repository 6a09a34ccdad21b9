"""The table of gpu_check.py."""

import traceback
from importlib.util import find_spec


class Table:
    """The lines, printed as they are added, and their JSON."""

    def __init__(self):
        self.rows = []
        print(f"{'what':58} {'figure':>10}  {'target':>10}")

    def add(self, what, figure, target, at_most=True, decides=True, **details):
        """Add a line. at_most: whether the target is an upper limit; decides: whether missing it is an error."""
        ok = bool(figure <= target if at_most else figure >= target)  # False for NaN
        verdict = "ok" if ok else ("WRONG" if decides else "misses it")
        self.rows.append(
            {"what": what, "figure": figure, "target": target, "ok": ok, "error": decides and not ok, **details}
        )
        print(f"{what:58} {figure:10.3g}  {'<=' if at_most else '>='} {target:7.3g}  {verdict}", flush=True)

    def lacks(self, package, what):
        """Whether `package` is not installed; a line then says so in place of the figure."""
        if find_spec(package) is not None:
            return False
        why = f"{package} is not installed"
        self.rows.append({"what": what, "figure": "not measured", "why": why})
        print(f"{what:58} not measured: {why}", flush=True)
        return True

    def failed(self, part, error):
        """Add a part that raised `error`, as an error; print the traceback too."""
        traceback.print_exception(error)
        self.rows.append({"what": part, "figure": "not measured", "why": repr(error), "error": True})
        print(f"{part:58} not measured: WRONG, {type(error).__name__}", flush=True)
