"""Threads that help a caller with its work, and sleep where there is none.

OpenMP's threads, and so those of numba's parallel loops beside those of torch, spin while they
wait: where another process wants the same cores, they keep each other and it from working.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_pool: ThreadPoolExecutor | None = None
_size = 0


def run_together(function: Callable[..., object], threads: int, *args: Any) -> None:
    """Call a function in this thread and, at the same time, in others.

    The caller waits for those alone that have begun when it is done itself, so that it may never
    depend on a thread that no core is free for.

    Arguments:
        function: lets go of the interpreter, and comes back at once where no work is left.
        threads: how many threads work, with the caller's.
        args: its arguments.
    """
    job = [args]
    pool = _helpers(threads - 1)
    others = [pool.submit(_help, function, job) for _ in range(threads - 1)]
    try:
        function(*args)
    finally:
        begun = [other for other in others if not other.cancel()]
        for other in begun:
            other.result()
        job.clear()  # a thread that has slept through it keeps no memory of it


def _help(function: Callable[..., object], job: list[tuple[Any, ...]]) -> None:
    function(*job[0])


def _helpers(count: int) -> ThreadPoolExecutor:
    """The threads of this process, at least `count`; they start when they are first needed."""
    global _pool, _size
    pool = _pool
    if pool is None or count > _size:
        # Whoever is at work with the old one keeps it alive; its threads then end by themselves.
        pool = _pool = ThreadPoolExecutor(count, thread_name_prefix="las")
        _size = count
    return pool


def _forget() -> None:
    """A forked process has none of its parent's threads."""
    global _pool, _size
    _pool, _size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
