"""The spikes themselves: who fires when, recorded, exported and read again."""

from las.spikes.events import SiteEvents, SpikeEvents
from las.spikes.record import spike_events
from las.spikes.sites import spiking_sites

__all__ = ["SiteEvents", "SpikeEvents", "spike_events", "spiking_sites"]
