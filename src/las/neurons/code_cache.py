"""Numba's cache of compiled code, which may be out of reach, full or damaged.

Numba keeps compiled code in a directory, so that later processes need not compile it again. Where
no such directory can be written, or a file in one is damaged, it raises an error, or runs what is
left of the code. Here the code is compiled anew in this process, and a warning says why.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

_DIGEST = hashlib.sha256().digest_size


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: `numba.njit`, whose code is kept for later processes where that can be done.

    Arguments:
        options: those of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(error_model="numpy", **options)(function)
        try:
            dispatcher._cache = CodeCache(function)
        except (RuntimeError, OSError) as error:  # numba found no directory, or no source file
            dispatcher._cache = NoCache(str(error))
        return dispatcher

    return decorate


class CodeCache(FunctionCache):
    """Numba's cache of one function. What cannot be read is compiled again and written anew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        # A name of its own: files that numba itself wrote here have no checksum.
        name = f"{self._impl.filename_base}.checked"
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFiles(self._cache_path, name, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for a signature, or None if it has to be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # there is no end to what reading a foreign file may raise
            _warn(f"kept code in {self._cache_path} cannot be used ({error})")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for a signature, if that can be done."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # the code is there, whatever becomes of the file
            _warn(f"{self._cache_path} cannot be written to ({error})")


class NoCache(NullCache):
    """What stands for the cache where there is none.

    Arguments:
        reason: why there is none.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def load_overload(self, sig: Any, target_context: Any) -> None:
        """Find nothing, and say why."""
        _warn(self._reason)


class CheckedFiles(IndexDataCacheFile):
    """The files of a cache. Each ends with a checksum of what comes before it.

    The code also says what it is of. Numba writes the index and the code one after the other, so
    that two processes at once, or one that is killed in between, may leave an index that names
    the code of something else.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write the code of a signature."""
        super().save(key, (self._version, self._source_stamp, key, data))

    def load(self, key: Any) -> Any:
        """The code of a signature, or None where there is none."""
        found = super().load(key)
        if found is None or found[:3] != (self._version, self._source_stamp, key):
            return None
        return found[3]

    def _load_index(self) -> Any:
        try:
            _content(self._index_path)
        except FileNotFoundError:
            return {}
        except DamagedCodeError as error:
            _warn(str(error))
            return {}
        return super()._load_index()

    def _load_data(self, name: str) -> Any:
        try:
            return pickle.loads(_content(self._data_path(name)))
        except DamagedCodeError as error:
            _warn(str(error))
            return None

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        written = io.BytesIO()
        yield written
        content = written.getvalue()
        with super()._open_for_write(filepath) as file:
            file.write(content + hashlib.sha256(content).digest())


class DamagedCodeError(Exception):
    """A file of compiled code does not hold what was written to it."""


def _content(path: str) -> bytes:
    """What was written to a file, without its checksum."""
    content = Path(path).read_bytes()
    content, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        raise DamagedCodeError(f"{path} is damaged")
    return content


_warned = False


def _warn(reason: str) -> None:
    """Say once in a process why code is compiled that might have been kept."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"las compiles its kernels in this process, which takes half a minute: {reason}. If "
            "this comes again, set NUMBA_CACHE_DIR to a directory that can be written to.",
            stacklevel=2,
        )
