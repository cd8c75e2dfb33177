"""Benchmarks: one command each (`python -m benchmarks.startup`, `.memory`, `.lockstep`, `.orders`); see README.md."""
