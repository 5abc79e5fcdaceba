"""The neuron sites of a model by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn

from las.components.running import running
from las.components.site import Site
from las.options import shown

_WILD = set("*?[")


def spiking_sites(model: nn.Module) -> dict[str, str]:
    """The neuron sites of a converted model, and which neurons each has: "oat" or "hg:<function>".

    Arguments:
        model: a converted model, a part of one, or a module that holds some.

    Raises:
        LasError: the model has no spiking neurons.
    """
    return {name: site.kind for name, site in sites_of(model).items()}


def sites_of(model: nn.Module) -> dict[str, Site]:
    """The neuron sites of a model, by the names under which `las.count_spikes` counts them."""
    converted = running(model)
    found: dict[str, Site] = {}
    for one in converted:
        prefix = f"{one.path}." if len(converted) > 1 and one.path else ""
        for part in one.model.modules():
            if isinstance(part, Site):
                found[prefix + part.name] = part
    return found


def chosen_sites(model: nn.Module, names: str | Iterable[str]) -> dict[str, Site]:
    """The sites that names stand for, in the order of the model.

    Arguments:
        model: see `spiking_sites`.
        names: one or several: a site, a module whose sites are meant, or a pattern with *, ? or
            [...]. Layers that read one tensor share its site, and each of them may be named.

    Raises:
        LasError: the model has no spiking neurons.
        ValueError: there is no such site.
    """
    sites = sites_of(model)
    paths = {site: name for name, site in sites.items()}
    places = {
        path: part
        for path, part in model.named_modules(remove_duplicate=False)
        if isinstance(part, Site)
    }
    asked = (names,) if isinstance(names, str) else tuple(names)
    if not asked:
        raise ValueError("no site is named: las.spiking_sites(model) lists them")
    wanted: set[Site] = set()
    for name in asked:
        wanted.update(_named(name, {**places, **sites}))
    return {paths[site]: site for site in paths if site in wanted}


def _named(name: str, sites: Mapping[str, Site]) -> set[Site]:
    """The sites that one name stands for."""
    if not isinstance(name, str):
        raise ValueError(f"a site is named by a text, got {shown(name)}")
    if name in sites:
        return {sites[name]}
    if _WILD & set(name):
        found = {site for path, site in sites.items() if fnmatchcase(path, name)}
    else:
        found = {site for path, site in sites.items() if path.startswith(f"{name}.")}
    if found:
        return found
    modules = {".".join(path.split(".")[:end]) for path in sites for end in range(1, 99)}
    close = get_close_matches(name, sorted(modules), n=3, cutoff=0.6)
    advice = f"did you mean {' or '.join(close)}? " if close else ""
    number = len(set(sites.values()))
    raise ValueError(
        f"no neurons at {shown(name)}: {advice}las.spiking_sites(model) lists all {number}"
    )
