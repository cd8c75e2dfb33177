"""The operations of the interface. Generated from the OpenAPI document by `make client`: do not edit."""

from __future__ import annotations

from typing import Literal

from api.client import models
from api.client.calls import Calls, in_path


class Operations:
    """One method per operation; `calls` carries them. Every method raises UnansweredError, RefusedError and
    StrangeAnswerError (`api.client.errors`)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def health(self) -> models.Health:
        """Is all well.

        `GET /health`
        """
        return self._calls.call(models.Health, "GET", "/health", accepts=(200, 503))

    def standing(self) -> models.Standing:
        """Who is logged in.

        `GET /api/v1/session`
        """
        return self._calls.call(models.Standing, "GET", "/api/v1/session")

    def log_in(self, body: models.LoginRequest) -> models.Standing:
        """Log in to the console.

        `POST /api/v1/session`
        """
        return self._calls.call(models.Standing, "POST", "/api/v1/session", body=body)

    def log_out(self) -> models.Ended:
        """Log out.

        `DELETE /api/v1/session`
        """
        return self._calls.call(models.Ended, "DELETE", "/api/v1/session")

    def confirm(self, body: models.CodeRequest) -> models.Standing:
        """Give the code of a second factor.

        `POST /api/v1/session/code`
        """
        return self._calls.call(models.Standing, "POST", "/api/v1/session/code", body=body)

    def sessions(self) -> list[models.SessionRow]:
        """Who else is logged in.

        `GET /api/v1/sessions`
        """
        return self._calls.call(list[models.SessionRow], "GET", "/api/v1/sessions")

    def end(self, session_id: str) -> models.Ended:
        """End a session.

        `DELETE /api/v1/sessions/{session_id}`
        """
        return self._calls.call(models.Ended, "DELETE", f"/api/v1/sessions/{in_path(session_id)}")

    def overview(self) -> models.Overview:
        """What the page shows at its top.

        `GET /api/v1/overview`
        """
        return self._calls.call(models.Overview, "GET", "/api/v1/overview")

    def actors(self) -> list[models.Actor]:
        """Every actor and how it is.

        `GET /api/v1/actors`
        """
        return self._calls.call(list[models.Actor], "GET", "/api/v1/actors")

    def actor(self, name: str) -> models.ActorDetail:
        """One actor with its machines' states.

        `GET /api/v1/actors/{name}`
        """
        return self._calls.call(models.ActorDetail, "GET", f"/api/v1/actors/{in_path(name)}")

    def transitions(
        self,
        name: str,
        *,
        machine: str | None = None,
        machine_table: Literal[
            "core-hodl",
            "core-hodl-day",
            "trend",
            "trend-cycle",
            "funding",
            "funding-evaluation",
            "tactical",
            "tactical-return",
            "market-data",
            "usability",
            "parent-order",
            "order",
            "transfer",
            "staking",
            "flatten",
            "risk",
            "switch",
            "intent",
            "daily-cycle",
            "component",
            "movement",
            "regime",
            "policy-delivery",
            "policy",
            "dead-man-switch",
            "notifier",
            "channel",
            "notification",
        ]
        | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageTransition:
        """Its changes of state.

        `GET /api/v1/actors/{name}/transitions`
        """
        return self._calls.call(
            models.PageTransition,
            "GET",
            f"/api/v1/actors/{in_path(name)}/transitions",
            query={
                "machine": machine,
                "machine_table": machine_table,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def remarks(
        self,
        name: str,
        *,
        subject: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageRemark:
        """What it decided without a change of state.

        `GET /api/v1/actors/{name}/remarks`
        """
        return self._calls.call(
            models.PageRemark,
            "GET",
            f"/api/v1/actors/{in_path(name)}/remarks",
            query={"subject": subject, "before": before, "limit": limit, "from": from_, "to": to},
        )

    def decisions(
        self,
        *,
        actor: Literal[
            "market-data",
            "core-hodl",
            "trend-1",
            "trend-2",
            "funding",
            "tactical",
            "risk-manager",
            "order-manager",
            "orchestrator",
            "api",
            "notifier",
        ]
        | None = None,
        group: Literal["engines"] | None = None,
        kind: Literal["transition", "remark"] | None = None,
        machine: str | None = None,
        state: str | None = None,
        text: str | None = None,
        trace: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageDecision:
        """What all actors decided.

        `GET /api/v1/decisions`
        """
        return self._calls.call(
            models.PageDecision,
            "GET",
            "/api/v1/decisions",
            query={
                "actor": actor,
                "group": group,
                "kind": kind,
                "machine": machine,
                "state": state,
                "text": text,
                "trace": trace,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def all_machines(self) -> list[models.Machine]:
        """Every state machine with its arrows.

        `GET /api/v1/machines`
        """
        return self._calls.call(list[models.Machine], "GET", "/api/v1/machines")

    def diagram(self, name: str, *, format: Literal["mermaid", "html"] = "mermaid") -> str:
        """A machine's diagram.

        `GET /api/v1/machines/{name}/diagram`
        """
        return self._calls.call(str, "GET", f"/api/v1/machines/{in_path(name)}/diagram", query={"format": format})

    def orders(
        self,
        *,
        engine: Literal["core-hodl", "trend-1", "trend-2", "funding", "tactical"] | None = None,
        state: Literal[
            "ACKNOWLEDGED",
            "CANCELLED",
            "CREATED",
            "DENIED",
            "EXPIRED",
            "FILLED",
            "OPEN",
            "PARTIALLY_FILLED",
            "PENDING_AMEND",
            "PENDING_CANCEL",
            "REJECTED",
            "SENT",
            "UNKNOWN",
            "VALIDATED",
            "OPEN_ANY",
        ]
        | None = None,
        symbol: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageOrder:
        """Orders.

        `GET /api/v1/orders`
        """
        return self._calls.call(
            models.PageOrder,
            "GET",
            "/api/v1/orders",
            query={
                "engine": engine,
                "state": state,
                "symbol": symbol,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def chain(self, client_order_id: str) -> list[models.ChainLink]:
        """Why this order exists.

        `GET /api/v1/orders/{client_order_id}/chain`
        """
        return self._calls.call(list[models.ChainLink], "GET", f"/api/v1/orders/{in_path(client_order_id)}/chain")

    def executions(
        self,
        *,
        engine: Literal["core-hodl", "trend-1", "trend-2", "funding", "tactical"] | None = None,
        client_order_id: str | None = None,
        symbol: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageExecution:
        """Fills.

        `GET /api/v1/executions`
        """
        return self._calls.call(
            models.PageExecution,
            "GET",
            "/api/v1/executions",
            query={
                "engine": engine,
                "client_order_id": client_order_id,
                "symbol": symbol,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def positions(self) -> list[models.Position]:
        """Derivative positions.

        `GET /api/v1/positions`
        """
        return self._calls.call(list[models.Position], "GET", "/api/v1/positions")

    def candles(
        self,
        *,
        category: Literal["linear", "spot"],
        symbol: str,
        interval: Literal["60", "D"] = "D",
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.Candles:
        """Bars with what was done on them.

        `GET /api/v1/candles`
        """
        return self._calls.call(
            models.Candles,
            "GET",
            "/api/v1/candles",
            query={
                "category": category,
                "symbol": symbol,
                "interval": interval,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def outlook(self, engine: str) -> models.OutlookView:
        """What would make the engine act next.

        `GET /api/v1/engines/{engine}/outlook`
        """
        return self._calls.call(models.OutlookView, "GET", f"/api/v1/engines/{in_path(engine)}/outlook")

    def indicators(self, engine: str, *, symbol: str) -> models.IndicatorView:
        """What the engine's rules read, over time.

        `GET /api/v1/engines/{engine}/indicators`
        """
        return self._calls.call(
            models.IndicatorView, "GET", f"/api/v1/engines/{in_path(engine)}/indicators", query={"symbol": symbol}
        )

    def series(self) -> list[models.Series]:
        """Of what there are bars.

        `GET /api/v1/candles/series`
        """
        return self._calls.call(list[models.Series], "GET", "/api/v1/candles/series")

    def regime(self) -> models.RegimeView:
        """The regime and its weights.

        `GET /api/v1/regime`
        """
        return self._calls.call(models.RegimeView, "GET", "/api/v1/regime")

    def portfolio(self) -> models.Portfolio:
        """Equity of the whole and of each account.

        `GET /api/v1/portfolio`
        """
        return self._calls.call(models.Portfolio, "GET", "/api/v1/portfolio")

    def limits(self) -> list[models.LimitRow]:
        """Limits and how full they are.

        `GET /api/v1/limits`
        """
        return self._calls.call(list[models.LimitRow], "GET", "/api/v1/limits")

    def pnl(
        self,
        *,
        engine: Literal["core-hodl", "trend-1", "trend-2", "funding", "tactical", "total"] | None = None,
        period: Literal["day", "month", "year", "all"] = "month",
        from_: str | None = None,
        to: str | None = None,
    ) -> list[models.Result]:
        """Gains and costs by period.

        `GET /api/v1/pnl`
        """
        return self._calls.call(
            list[models.Result],
            "GET",
            "/api/v1/pnl",
            query={"engine": engine, "period": period, "from": from_, "to": to},
        )

    def ledger(
        self,
        *,
        account: Literal["MASTER", "CORE-HODL", "TREND-1", "TREND-2", "FUNDING", "TACTICAL"] | None = None,
        kind: Literal[
            "adjustment",
            "bonus",
            "conversion",
            "custody",
            "delivery",
            "deposit",
            "dust",
            "earn",
            "fee",
            "fill",
            "funding",
            "interest",
            "loan",
            "opening",
            "reversal",
            "suspense",
            "transfer",
            "withdrawal",
        ]
        | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.Ledger:
        """The double-entry ledger.

        `GET /api/v1/ledger`
        """
        return self._calls.call(
            models.Ledger,
            "GET",
            "/api/v1/ledger",
            query={"account": account, "kind": kind, "before": before, "limit": limit, "from": from_, "to": to},
        )

    def transfers(
        self,
        *,
        state: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageTransfer:
        """Movements between accounts.

        `GET /api/v1/transfers`
        """
        return self._calls.call(
            models.PageTransfer,
            "GET",
            "/api/v1/transfers",
            query={"state": state, "before": before, "limit": limit, "from": from_, "to": to},
        )

    def equity(
        self,
        *,
        engine: Literal["core-hodl", "trend-1", "trend-2", "funding", "tactical", "total"] | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PagePerformanceDay:
        """Equity by day.

        `GET /api/v1/equity`
        """
        return self._calls.call(
            models.PagePerformanceDay,
            "GET",
            "/api/v1/equity",
            query={"engine": engine, "before": before, "limit": limit, "from": from_, "to": to},
        )

    def performance(self) -> list[models.EnginePerformance]:
        """Rolling figures.

        `GET /api/v1/performance`
        """
        return self._calls.call(list[models.EnginePerformance], "GET", "/api/v1/performance")

    def events(
        self,
        *,
        kind: Literal[
            "access_failures",
            "answer",
            "approved",
            "assess_risk",
            "balances_known",
            "bar_frame",
            "bars_closed",
            "capital_freed",
            "component_alert",
            "component_changed",
            "component_reset",
            "cycle_done",
            "data_unusable",
            "database_outage",
            "day_closed",
            "earn_known",
            "execution_frame",
            "feed_frame",
            "fill",
            "filters_refused",
            "flatness_read",
            "flatness_wanted",
            "flatten_ordered",
            "free_capital",
            "funding_paid",
            "funding_settled",
            "instruments_known",
            "insurance_seen",
            "intent",
            "intent_done",
            "intent_working",
            "move_refused",
            "move_stop",
            "operator_command",
            "order_denied",
            "order_frame",
            "order_rejected",
            "parameters_changed",
            "policy_recorded",
            "portfolio",
            "position_unprotected",
            "quote_frame",
            "quotes_seen",
            "reading_changed",
            "reconciled",
            "risk_assessed",
            "risk_state",
            "rows_set_aside",
            "run_cycle",
            "staking_forgone",
            "staking_ordered",
            "staking_reported",
            "stream_restored",
            "transfer_ended",
            "transfer_ordered",
            "transfer_wanted",
            "withdraw",
            "withdrawals_seen",
        ]
        | None = None,
        trace: str | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageEvent:
        """Messages between the actors.

        `GET /api/v1/events`
        """
        return self._calls.call(
            models.PageEvent,
            "GET",
            "/api/v1/events",
            query={"kind": kind, "trace": trace, "before": before, "limit": limit, "from": from_, "to": to},
        )

    def alerts(
        self,
        *,
        severity: Literal["info", "warning", "critical"] | None = None,
        state: Literal["changed", "ended", "open", "standing"] | None = None,
        actor: Literal[
            "api",
            "core-hodl",
            "dead-man-switch",
            "funding",
            "market-data",
            "notifier",
            "orchestrator",
            "order-manager",
            "risk-manager",
            "tactical",
            "trend-1",
            "trend-2",
        ]
        | None = None,
        acknowledged: bool | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageAlert:
        """What the operator should know.

        `GET /api/v1/alerts`
        """
        return self._calls.call(
            models.PageAlert,
            "GET",
            "/api/v1/alerts",
            query={
                "severity": severity,
                "state": state,
                "actor": actor,
                "acknowledged": acknowledged,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def summaries(
        self, *, before: str | None = None, limit: int = 100, from_: str | None = None, to: str | None = None
    ) -> models.PageSummary:
        """Daily summaries.

        `GET /api/v1/summaries`
        """
        return self._calls.call(
            models.PageSummary,
            "GET",
            "/api/v1/summaries",
            query={"before": before, "limit": limit, "from": from_, "to": to},
        )

    def discrepancies(
        self, *, before: str | None = None, limit: int = 100, from_: str | None = None, to: str | None = None
    ) -> models.PageDiscrepancy:
        """Books against exchange.

        `GET /api/v1/discrepancies`
        """
        return self._calls.call(
            models.PageDiscrepancy,
            "GET",
            "/api/v1/discrepancies",
            query={"before": before, "limit": limit, "from": from_, "to": to},
        )

    def switch_trips(
        self, *, before: str | None = None, limit: int = 100, from_: str | None = None, to: str | None = None
    ) -> models.PageSwitchTrip:
        """Automatic switches.

        `GET /api/v1/switch-trips`
        """
        return self._calls.call(
            models.PageSwitchTrip,
            "GET",
            "/api/v1/switch-trips",
            query={"before": before, "limit": limit, "from": from_, "to": to},
        )

    def commands(
        self, *, before: str | None = None, limit: int = 100, from_: str | None = None, to: str | None = None
    ) -> models.PageOperatorCommandRow:
        """What was commanded.

        `GET /api/v1/control/history`
        """
        return self._calls.call(
            models.PageOperatorCommandRow,
            "GET",
            "/api/v1/control/history",
            query={"before": before, "limit": limit, "from": from_, "to": to},
        )

    def preview(
        self,
        *,
        action: Literal["pause", "resume", "reduce_only", "halt", "flatten", "normal"],
        scope: Literal["GLOBAL", "core-hodl", "trend-1", "trend-2", "funding", "tactical"] = "GLOBAL",
    ) -> models.ControlPreview:
        """What a command would do now.

        `GET /api/v1/control/preview`
        """
        return self._calls.call(
            models.ControlPreview, "GET", "/api/v1/control/preview", query={"action": action, "scope": scope}
        )

    def switches(self) -> list[models.Switch]:
        """Control states in force.

        `GET /api/v1/switches`
        """
        return self._calls.call(list[models.Switch], "GET", "/api/v1/switches")

    def policies(self) -> models.Policies:
        """Versions of the policy.

        `GET /api/v1/policies`
        """
        return self._calls.call(models.Policies, "GET", "/api/v1/policies")

    def record(self, body: models.PolicyOrdered) -> models.PolicyAnswer:
        """Record a version of the policy.

        `POST /api/v1/policies`
        """
        return self._calls.call(models.PolicyAnswer, "POST", "/api/v1/policies", body=body)

    def config(self) -> models.Configuration:
        """The configuration of the newest start.

        `GET /api/v1/config`
        """
        return self._calls.call(models.Configuration, "GET", "/api/v1/config")

    def version(self) -> models.Versions:
        """Versions of what runs here.

        `GET /api/v1/version`
        """
        return self._calls.call(models.Versions, "GET", "/api/v1/version")

    def status(self) -> models.NotificationStatus:
        """Whether alerts reach people.

        `GET /api/v1/notifications`
        """
        return self._calls.call(models.NotificationStatus, "GET", "/api/v1/notifications")

    def deliveries(
        self,
        *,
        alert_id: str | None = None,
        channel: Literal["telegram", "email", "pagerduty", "webhook"] | None = None,
        state: Literal["WAITING", "SENDING", "RETRY", "DELIVERED", "REFUSED", "EXPIRED"] | None = None,
        before: str | None = None,
        limit: int = 100,
        from_: str | None = None,
        to: str | None = None,
    ) -> models.PageDeliveryRow:
        """What was sent to people.

        `GET /api/v1/notifications/deliveries`
        """
        return self._calls.call(
            models.PageDeliveryRow,
            "GET",
            "/api/v1/notifications/deliveries",
            query={
                "alert_id": alert_id,
                "channel": channel,
                "state": state,
                "before": before,
                "limit": limit,
                "from": from_,
                "to": to,
            },
        )

    def control(self, body: models.ControlRequest) -> models.ControlAnswer:
        """Pause, resume, reduce only, halt, flatten, back to normal; or try a FAULTED component again.

        `POST /api/v1/control`
        """
        return self._calls.call(models.ControlAnswer, "POST", "/api/v1/control", body=body)

    def acknowledge(self, alert_id: str, body: models.AcknowledgeRequest | None) -> models.AcknowledgeAnswer:
        """A person has seen the alert and acts on it.

        `POST /api/v1/alerts/{alert_id}/acknowledge`
        """
        return self._calls.call(
            models.AcknowledgeAnswer, "POST", f"/api/v1/alerts/{in_path(alert_id)}/acknowledge", body=body
        )

    def trial(self, body: models.PolicyWanted) -> models.PolicyTrial:
        """What a change of the policy would do now.

        `POST /api/v1/policies/trial`
        """
        return self._calls.call(models.PolicyTrial, "POST", "/api/v1/policies/trial", body=body)

    def open_dashboard(self) -> models.DashboardAddress:
        """Open Ray's dashboard.

        `POST /api/v1/ray-dashboard`
        """
        return self._calls.call(models.DashboardAddress, "POST", "/api/v1/ray-dashboard")
