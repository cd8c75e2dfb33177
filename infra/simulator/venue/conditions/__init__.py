"""What holds at the exchange for a while: price gaps, changed filters, delistings, suspensions (the faults of family
"exchange"). State of the venue: it is saved with it and survives a restart."""

from infra.simulator.venue.conditions.active import Conditions

__all__ = ["Conditions"]
