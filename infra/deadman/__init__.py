"""The dead-man switch's process (RM-4): reads beats, cancels entry orders in silence, reports; the rule is the core's.

It stands on nothing of the running system: no Ray, no actor, no launch. `python -m infra.deadman` is what `eternal run`
starts; `eternal deadman` runs the same on another machine.
"""
