"""L1 to L5: the failure of a layer against its neighbours.

| gone | tested |
|---|---|
| L1, the exchange | here, in process; by the wall clock in `tests/live`; the database in `tests/orchestrator` |
| L2, order manager or market data | here |
| L3, the orchestrator, one to three engines, their reset | here; under Ray one engine in `tests/chaos/test_faults.py` |
| L4, the risk manager | here; amid a burst in `tests/chaos/orders/test_halt.py` |
| L5, the API | trading continues, it is restarted without end: `tests/api/test_gate.py` |
"""
