"""Spike-equivalent transformer components (Sections 4.2 and 4.3)."""

from las.components.component import SpikingComponent, Work
from las.components.site import HGSite, OATSite, accumulate

__all__ = ["HGSite", "OATSite", "SpikingComponent", "Work", "accumulate"]
