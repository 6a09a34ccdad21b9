"""How much memory a process has used."""

import re
import sys
from pathlib import Path


def own_peak_mb():
    """The most memory that this process has used so far, in MB of 10^6 bytes.

    Linux counts the parent's peak into ru_maxrss of a child, but not into VmHWM.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text()).group(1)) * 1024 / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
