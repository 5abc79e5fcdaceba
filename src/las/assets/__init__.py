"""Models and data sets: where they come from, and how they get onto this machine."""

from las.assets.asset import Asset, fetch_asset, origin
from las.assets.directory import LocalDirectory
from las.assets.hub import HubFolder, hub_reachable
from las.assets.model import materialise_model
from las.assets.wheel import Wheel

__all__ = [
    "Asset",
    "HubFolder",
    "LocalDirectory",
    "Wheel",
    "fetch_asset",
    "hub_reachable",
    "materialise_model",
    "origin",
]
