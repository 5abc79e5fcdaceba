"""Which spike-equivalent stands for which module: by class first, by structure where no class fits.

A rule is looked up in this order, and the first one found is taken:

1. what a user registered with `converts`, for the module's class or the nearest of its bases;
2. what las registers for classes (`las.conversion.families`), likewise;
3. the structural rules (`las.conversion.rules`), in their order.

No rule is trusted: `las.convert` compares every component with the module that it replaces
(`las.conversion.proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from torch import nn

from las.errors import UnsupportedModelError

Converter = Callable[[Any], nn.Module]
Given = TypeVar("Given", bound=Callable[..., nn.Module])
Key = str | type


@dataclass(frozen=True)
class Rule:
    """A structural rule.

    Attributes:
        find: what there is of the structure in a module; None or False where it has it not.
        convert: makes the spike-equivalent of a module in which that was found.
    """

    find: Callable[[nn.Module], Any]
    convert: Callable[[Any, Any], nn.Module]


OF_USERS: dict[Key, Converter] = {}
OF_CLASSES: dict[Key, Converter] = {}
OF_STRUCTURE: list[Rule] = []

_LIBRARIES = ("torch", "transformers")


def converts(*classes: Key) -> Callable[[Given], Given]:
    """Register the spike-equivalent of module classes and of all that derive from them.

    It takes precedence over every rule of las. The function gets the module and returns what is to
    stand in its place: a component of `las.components`, one of your own, or the module itself with
    spiking parts.

    Arguments:
        classes: classes, or the names of classes of torch or transformers, which then need no
            import.
    """
    return _register(OF_USERS, classes)


def known(*classes: Key) -> Callable[[Given], Given]:
    """`converts` for las itself: a user's rule wins over it."""
    return _register(OF_CLASSES, classes)


def structure(find: Callable[[nn.Module], Any]) -> Callable[[Given], Given]:
    """Register a structural rule after those that are there.

    Arguments:
        find: see `Rule`; what it found comes to the decorated function, after the module.
    """

    def register(convert: Given) -> Given:
        OF_STRUCTURE.append(Rule(find, convert))
        return convert

    return register


def _register(table: dict[Key, Converter], classes: Iterable[Key]) -> Callable[[Given], Given]:
    def register(converter: Given) -> Given:
        table.update(dict.fromkeys(classes, converter))
        return converter

    return register


def converter_of(module: nn.Module) -> Converter | None:
    """What converts a module, or None where no rule knows it."""
    for table in (OF_USERS, OF_CLASSES):
        for kind in type(module).__mro__:
            if kind in table:
                return table[kind]
            if kind.__module__.partition(".")[0] in _LIBRARIES and kind.__name__ in table:
                return table[kind.__name__]
    for rule in OF_STRUCTURE:
        found = rule.find(module)
        if found is not None and found is not False:
            return partial(_convert, rule, found)
    return None


def _convert(rule: Rule, found: Any, module: nn.Module) -> nn.Module:
    return rule.convert(module, found)


def convert_module(module: nn.Module) -> nn.Module:
    """The spike-equivalent of one module.

    Raises:
        UnsupportedModelError: there is none.
    """
    converter = converter_of(module)
    if converter is None:
        kind = type(module).__name__
        raise UnsupportedModelError(f"{kind} has no spike-equivalent. {how_to_register(kind)}")
    return converter(module)


def how_to_register(kind: str) -> str:
    """The lines of code that would teach las a class."""
    return (
        "To teach las this class, register what is to stand in its place:\n\n"
        f"    @las.converts({kind!r})\n"
        "    def spiking(module):\n"
        "        return ...  # a component of las.components, or a module made of some\n\n"
        "las.convert compares it with the original. The documentation works an example through "
        "under 'Adding an architecture'."
    )
