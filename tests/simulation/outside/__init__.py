"""What people and the market do during a run of the fault simulation: money from and to outside, the operator's
commands, moves of prices, versions of the policy, FAULTED engines and their reset (issue 10).

Each is an event of the same seeded choices as crashes and outages (`tests.simulation.faults.points.OUTSIDE`), so that
it counts as a hit, replays and shrinks like them. What must hold is in `invariants`, what proves it in `defects`.
"""
