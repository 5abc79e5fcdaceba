"""Run code of ours when somebody imports a certain module, without importing it ourselves.

`import las` must not import transformers or torchvision, which takes seconds. Still, transformers
has to know of spiking models as soon as it can load any, and a torchvision that fails to import has
to be repaired at that moment. Python looks a module up by asking the finders in `sys.meta_path` one
after the other. Ours comes first and answers for a single module: it takes what the other finders
say, and only has our function called where the module would be executed. Afterwards the module has
the loader that it would have had without us.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Execute = Callable[[Callable[[], None]], None]
"""A function that is given the execution of the module, and calls it."""


def around_import(name: str, execute: Execute) -> None:
    """From now on, let `execute` execute a module when it is imported.

    A module that has been imported already is not touched.

    Arguments:
        name: the module's full name.
        execute: called once per import, with a function that executes the module.
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
