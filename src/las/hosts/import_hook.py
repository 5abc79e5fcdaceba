"""Have a say in the import of one module that is not ours, without importing it.

`import las` must not import transformers or torchvision, which take seconds, and yet transformers
has to know of spiking models from the moment it can load any. So a finder is put in front of
`sys.meta_path`. It answers for a single module, leaves finding it to the other finders, and lets
a function of ours execute it. Nothing remains of it on the module afterwards.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Execute = Callable[[Callable[[], None]], None]
"""Is given what executes the module, and has to call it."""


def around_import(name: str, execute: Execute) -> None:
    """Let `execute` run the import of a module that has not been imported yet.

    Arguments:
        name: of the module, in full.
        execute: is given a function that executes the module, and calls it.
    """
    sys.meta_path.insert(0, _Finder(name, execute))


class _Finder(MetaPathFinder):
    def __init__(self, name: str, execute: Execute) -> None:
        self.name = name
        self.execute = execute

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.execute)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader, execute: Execute) -> None:
        self.loader = loader
        self.execute = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.execute(lambda: self.loader.exec_module(module))
