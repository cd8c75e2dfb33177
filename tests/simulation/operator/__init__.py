"""The whole system under a seeded schedule of faults: one process, no threads, no wall clock (DESIGN 7, level 4)."""
