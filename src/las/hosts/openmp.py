"""How torch's threads wait for work on a CPU.

Where nothing is said, an idle thread of OpenMP spins for some milliseconds before it sleeps. Where
another process wants the core, that keeps it from working, and often the very thread that is waited
for: a step then takes ten times as long and more. OpenMP reads its settings when torch is imported,
and not again.
"""

from __future__ import annotations

import os
import sys

_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables that say how threads wait; where one is set, somebody has chosen."""


def let_threads_sleep() -> None:
    """Have threads sleep while they wait; has to precede the import of torch, or else does nothing.

    Processes that this one starts inherit it.
    """
    if "torch" not in sys.modules and not any(name in os.environ for name in _CHOICES):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
