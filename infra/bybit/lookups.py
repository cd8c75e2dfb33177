"""What became of an order or a transfer: found, absent, or not known. An answer about anything else is none (EX-1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from actors.runtime.ports import MarketClock
from infra.bybit.account import REACH_MS, READING_MS, WINDOW_MS, AccountReader
from infra.bybit.caller import Caller
from infra.bybit.errors import GatewayError, Purpose, outcome_of
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.bybit.parsing.rows import parse_transfer_status
from statemachines.execution.orders.report_checks import FUNDING_TYPE
from statemachines.requests import (
    ExchangeResponse,
    ExecutionReport,
    LookUpOrder,
    LookUpTransfer,
    OrderAbsent,
    OrderFound,
    OrderReport,
    TransferState,
    Unknown,
)
from statemachines.values import Account


class LookUps:
    """Asks by id. `pause` waits `pause_s` wall seconds between the two rounds."""

    def __init__(
        self,
        caller: Caller,
        reader: AccountReader,
        clock: MarketClock,
        pause_s: float,
        pause: Callable[[float], None],
    ) -> None:
        self._caller = caller
        self._reader = reader
        self._clock = clock
        self._pause_s = pause_s
        self._pause = pause

    def orders(self, account: Account, requests: Sequence[LookUpOrder]) -> list[ExchangeResponse]:
        """What became of each order. An error is the answer about its own order only."""
        found: dict[int, ExchangeResponse] = {}
        for is_last_round in (False, True):
            for place, request in enumerate(requests):
                if place not in found:
                    answer = self._answer(account, request, is_last_round=is_last_round)
                    if answer is not None:
                        found[place] = answer
            if len(found) == len(requests):
                break
            self._pause(self._pause_s)
        return [found[place] for place in range(len(requests))]

    def _answer(self, account: Account, request: LookUpOrder, *, is_last_round: bool) -> ExchangeResponse | None:
        try:
            return self._round(account, request, is_last_round=is_last_round)
        except (GatewayError, UnparsableError) as error:
            return outcome_of(error, Purpose.READ)

    def _round(self, account: Account, request: LookUpOrder, *, is_last_round: bool) -> ExchangeResponse | None:
        """Open orders, then history, then executions by id; asked twice, since the history lags behind (EX-1). None:
        not seen in the first round."""
        report = self._find(account, request)
        if report is not None:
            executions = self._reader.executions_by(account, request.category, orderId=report.venue_order_id)
            _check_executions(request, executions, report)
            executions = list(dict.fromkeys(executions))
            _check_sum(request, executions, report)
            return OrderFound(report=report, executions=tuple(self._reader.with_realized(account, executions)))
        executions = self._reader.executions_by(account, request.category, orderLinkId=request.client_order_id)
        _check_executions(request, executions, None)
        if not is_last_round:
            return None
        if executions:
            # It landed, since it traded, but the order itself is not shown yet: neither found nor absent.
            return Unknown(
                why=f"order {request.client_order_id} has {len(executions)} executions but no order record yet"
            )
        return OrderAbsent()

    def _find(self, account: Account, request: LookUpOrder) -> OrderReport | None:
        for look in (self._reader.open_orders, self._reader.order_history):
            reports = look(account, request.category, orderLinkId=request.client_order_id)
            for report in reports:
                _check_order(request, report)
            if len({report.venue_order_id for report in reports}) > 1:
                raise _another(request, f"{len(reports)} orders with this id")
            _check_versions(request, reports)
            if reports:
                return max(reports, key=lambda report: report.updated_ms)
        return None

    def transfer(self, account: Account, request: LookUpTransfer) -> ExchangeResponse:
        """The state of a transfer by its id. Raises GatewayError and UnparsableError."""
        states: list[TransferState] = []
        for row in self._transfer_rows(account, request):
            row.repeats("transferId", request.transfer_id)
            if request.coin is not None:
                row.repeats_if_told("coin", request.coin)
            if request.amount is not None and row.has("amount") and row.decimal("amount") != request.amount:
                raise row.error("amount", row.raw("amount"), f"the amount of the transfer, {request.amount:f},")
            states.append(parse_transfer_status(row.text("status"), row.what))
        if len({state.status for state in states}) > 1:
            statuses = " and ".join(sorted({state.status for state in states}))
            raise UnparsableError(f"answer about transfer {request.transfer_id}: it is reported as {statuses}.")
        return states[0] if states else TransferState(status="ABSENT")

    def _transfer_rows(self, account: Account, request: LookUpTransfer) -> list[Row]:
        """The rows with the transfer's id since it was requested, in windows the exchange allows. Without a window it
        lists the past 7 days, whatever the id: an older transfer would never be found."""
        windows = self._windows(request.since_ms)
        return [row for window in windows for row in self._listed(account, request.transfer_id, window)]

    def _listed(self, account: Account, transfer_id: str, window: Mapping[str, int]) -> Sequence[Row]:
        result = self._caller.result(
            account,
            "transfer-query",
            lambda s: s.get_universal_transfer_records(transferId=transfer_id, **window),
        )
        return result.rows("list", "transfer row")

    def _windows(self, since_ms: int | None) -> list[dict[str, int]]:
        if since_ms is None:
            return [{}]
        now_ms = self._clock.now_ms()
        # The two clocks may differ by a little, and the exchange's filter counts in seconds.
        first = max(min(since_ms, now_ms) - READING_MS, now_ms - REACH_MS)
        return [{"startTime": at, "endTime": at + WINDOW_MS - 1} for at in range(first, now_ms + 1, WINDOW_MS)]


def _check_order(request: LookUpOrder, report: OrderReport) -> None:
    if report.client_order_id != request.client_order_id:
        raise _another(request, f"order {report.client_order_id or report.venue_order_id}")
    if report.symbol != request.symbol:
        raise _another(request, f"it on {report.symbol}, not on {request.symbol}")
    if request.side is not None and report.side is not request.side:
        raise _another(request, f"a {report.side}, not a {request.side}")


def _check_versions(request: LookUpOrder, reports: Sequence[OrderReport]) -> None:
    """Several rows of one order are versions of it: of one instant there is one, and it ends once."""
    versions = dict.fromkeys(reports)
    instants = {report.updated_ms for report in versions}
    ends = {report.status for report in versions if report.status.is_final}
    if len(instants) < len(versions) or len(ends) > 1:
        raise _another(request, f"{len(versions)} rows of it that contradict each other")


def _check_sum(request: LookUpOrder, executions: Sequence[ExecutionReport], report: OrderReport) -> None:
    """Executions may be more than the row before them says, unless it is the last one, but never more than ordered."""
    executed = sum((row.quantity for row in executions if row.execution_type != FUNDING_TYPE), Decimal(0))
    most = report.filled_quantity if report.status.is_final else report.quantity
    if executed > most and (most or report.status.is_final):
        raise _another(request, f"{executed} executed where at most {most} can be")


def _check_executions(request: LookUpOrder, executions: Sequence[ExecutionReport], report: OrderReport | None) -> None:
    """Executions may lack our id (bybit-v5 6.2); then the exchange's own id of the order has to be the order's."""
    side = request.side if report is None else report.side
    if len({row.execution_id for row in executions}) < len(dict.fromkeys(executions)):
        raise _another(request, "executions of one id that contradict each other")
    for row in executions:
        is_named = row.client_order_id == request.client_order_id
        is_of_order = report is not None and not row.client_order_id and row.venue_order_id == report.venue_order_id
        if report is not None and row.venue_order_id not in ("", report.venue_order_id):
            raise _another(request, f"execution {row.execution_id} of order {row.venue_order_id}")
        if not is_named and not is_of_order:
            raise _another(
                request, f"execution {row.execution_id} of order {row.client_order_id or row.venue_order_id}"
            )
        if row.symbol != request.symbol or (side is not None and row.side is not side):
            raise _another(request, f"execution {row.execution_id}, a {row.side} of {row.symbol}")


def _another(request: LookUpOrder, shown: str) -> UnparsableError:
    return UnparsableError(
        f"answer to the look-up of order {request.client_order_id}: it shows {shown}, which was not asked."
    )
