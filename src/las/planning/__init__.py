"""What a conversion will need, from a model's config alone."""

from las.planning.cards import CARDS, Card
from las.planning.needs import Plan
from las.planning.placement import GB, Devices, parse_card, parse_gpus
from las.planning.plan import plan

__all__ = ["CARDS", "GB", "Card", "Devices", "Plan", "parse_card", "parse_gpus", "plan"]
