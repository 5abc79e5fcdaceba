"""Threads that help a caller with its work.

Where torch works on OpenMP's threads, they are these. Idle, they spin for a while before they
sleep, and threads beside them would wait for the very cores that they hold. Elsewhere they are
threads of ours, that sleep where there is no work; so they are in a forked process, which has lost
OpenMP's.

Measured on two cores of an Intel Xeon, SmolLM2-135M on 512 tokens, as ratios to the original: 1.6
to 1.8 on OpenMP's threads and 1.8 beside them; 1.7 and 2.5 where torch was imported before las (see
`las.hosts.openmp`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

_pool: ThreadPoolExecutor | None = None
_size = 0
_Body = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _openmp() -> Callable[..., None] | None:
    """What runs a function on OpenMP's threads, in the library that torch has loaded; or None."""
    try:
        team = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):  # no such library, or not this way to find it
        return None
    team.argtypes = (_Body, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    team.restype = None
    return team


_team = _openmp()


def run_together(function: Callable[..., object], threads: int, *args: Any) -> None:
    """Call a function in this thread and, at the same time, in others.

    OpenMP's threads are no fewer than torch's, so that no team has to be made anew. Of threads of
    ours, the caller waits for those alone that have begun when it is done itself, so that it may
    never depend on a thread that no core is free for.

    Arguments:
        function: lets go of the interpreter, and comes back at once where no work is left.
        threads: how many threads work, with the caller's.
        args: its arguments.

    Raises:
        BaseException: what the function raises in any of the threads.
    """
    if _team is not None:
        _run_on_openmp(_team, function, max(threads, torch.get_num_threads()), args)
        return
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


def _run_on_openmp(
    team: Callable[..., None], function: Callable[..., object], threads: int, args: tuple[Any, ...]
) -> None:
    failed: list[BaseException] = []

    def body(_: Any) -> None:
        try:
            function(*args)
        except BaseException as error:
            failed.append(error)

    team(_Body(body), None, threads, 0)
    if failed:
        raise failed[0]


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
    global _pool, _size, _team
    _pool, _size, _team = None, 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
