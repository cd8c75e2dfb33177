"""Requests on orders on the wire: bodies, batches and what their answers say of each order."""

from __future__ import annotations
