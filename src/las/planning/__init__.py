"""What a conversion will need, from a model's config alone."""

from las.planning.needs import Plan
from las.planning.placement import GB, Devices, parse_gpus
from las.planning.plan import plan

__all__ = ["GB", "Devices", "Plan", "parse_gpus", "plan"]
