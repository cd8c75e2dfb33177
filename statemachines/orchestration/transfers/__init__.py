"""How capital moves between accounts (OR-6): one machine per movement, from its request to its booking.

What moves is decided elsewhere: by an engine (FU-5, TA-6) or by `orchestration.allocation` (OR-2, OR-4, OR-5).
"""
