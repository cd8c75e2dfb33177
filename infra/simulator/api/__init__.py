"""V5 requests answered as plain functions over the venue: ``Exchange`` is the in-process simulated exchange.

No sockets and no files here; the server is a process around ``Exchange``.
"""

from infra.simulator.api.exchange import AdvanceResult, ApiRequest, Exchange
from infra.simulator.api.shapes.frames import Frame

__all__ = ["AdvanceResult", "ApiRequest", "Exchange", "Frame"]
