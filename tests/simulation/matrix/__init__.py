"""The fault matrix: points of failure against faults, each cell with the test that tries it or why there is none."""
