"""The spikes themselves: who fires when, recorded, exported and read again."""

from las.spikes.events import Passage, SiteEvents, SpikeEvents
from las.spikes.passage import passage_events
from las.spikes.record import spike_events
from las.spikes.sites import spiking_sites

__all__ = [
    "Passage",
    "SiteEvents",
    "SpikeEvents",
    "passage_events",
    "spike_events",
    "spiking_sites",
]
