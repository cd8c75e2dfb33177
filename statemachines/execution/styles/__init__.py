"""How orders are worked: makers at the touch (CH-3), stops held at the exchange (TR-5), large ones in slices (X4)."""

from __future__ import annotations
