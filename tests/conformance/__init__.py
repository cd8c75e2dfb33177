"""Unmodified clients and recorded payloads against the simulated exchange as a process of its own."""
