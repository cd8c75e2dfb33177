"""The table of endpoints: handler, whether it must be signed, whether it writes, its rate limit."""

from __future__ import annotations

from dataclasses import dataclass

from infra.simulator.api import account, asset, custody, earn, orders, positions, protection
from infra.simulator.api.context import Handler
from infra.simulator.api.market import klines, quotes, risk
from infra.simulator.api.members import accounts, api_keys


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. ``limits``: requests in a rolling second per UID for (linear, spot); None: by IP only.

    ``per_order`` counts every order of a batch.
    """

    handler: Handler
    signed: bool = True
    limits: tuple[int, int] | None = None
    per_order: bool = False


def _public(handler: Handler) -> Route:
    return Route(handler, signed=False)


ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/v5/market/time"): _public(quotes.server_time),
    ("GET", "/v5/market/instruments-info"): _public(quotes.instruments_info),
    ("GET", "/v5/market/kline"): _public(klines.kline),
    ("GET", "/v5/market/mark-price-kline"): _public(klines.mark_kline),
    ("GET", "/v5/market/index-price-kline"): _public(klines.index_kline),
    ("GET", "/v5/market/premium-index-price-kline"): _public(klines.premium_kline),
    ("GET", "/v5/market/tickers"): _public(quotes.tickers),
    ("GET", "/v5/market/orderbook"): _public(quotes.orderbook),
    ("GET", "/v5/market/recent-trade"): _public(quotes.recent_trade),
    ("GET", "/v5/market/funding/history"): _public(risk.funding_history),
    ("GET", "/v5/market/open-interest"): _public(risk.interest),
    ("GET", "/v5/market/risk-limit"): _public(risk.risk_limit),
    ("GET", "/v5/market/insurance"): _public(risk.insurance),
    ("GET", "/v5/market/price-limit"): _public(quotes.price_limit),
    ("GET", "/v5/announcements/index"): _public(quotes.announcements),
    ("GET", "/v5/system/status"): _public(quotes.system_status),
    ("POST", "/v5/order/create"): Route(orders.create, limits=(10, 20)),
    ("POST", "/v5/order/amend"): Route(orders.amend, limits=(10, 10)),
    ("POST", "/v5/order/cancel"): Route(orders.cancel, limits=(10, 20)),
    ("POST", "/v5/order/cancel-all"): Route(orders.cancel_all, limits=(10, 20)),
    ("POST", "/v5/order/create-batch"): Route(orders.create_batch, limits=(10, 20), per_order=True),
    ("POST", "/v5/order/amend-batch"): Route(orders.amend_batch, limits=(10, 20), per_order=True),
    ("POST", "/v5/order/cancel-batch"): Route(orders.cancel_batch, limits=(10, 20), per_order=True),
    ("POST", "/v5/order/pre-check"): Route(orders.pre_check, limits=(10, 20)),
    ("POST", "/v5/order/disconnected-cancel-all"): Route(protection.set_window, limits=(5, 5)),
    ("GET", "/v5/order/realtime"): Route(orders.realtime, limits=(50, 50)),
    ("GET", "/v5/order/history"): Route(orders.history, limits=(50, 50)),
    ("GET", "/v5/execution/list"): Route(orders.executions, limits=(50, 50)),
    ("GET", "/v5/position/list"): Route(positions.listing, limits=(50, 50)),
    ("POST", "/v5/position/set-leverage"): Route(positions.set_leverage, limits=(10, 10)),
    ("POST", "/v5/position/switch-mode"): Route(positions.switch_mode, limits=(10, 10)),
    ("POST", "/v5/position/trading-stop"): Route(positions.trading_stop, limits=(10, 10)),
    ("GET", "/v5/position/closed-pnl"): Route(positions.closed_pnl, limits=(50, 50)),
    ("GET", "/v5/account/wallet-balance"): Route(account.wallet_balance, limits=(50, 50)),
    ("GET", "/v5/account/withdrawal"): Route(account.withdrawal, limits=(50, 50)),
    ("GET", "/v5/account/fee-rate"): Route(account.fee_rate, limits=(5, 5)),
    ("GET", "/v5/account/info"): Route(account.info, limits=(50, 50)),
    ("GET", "/v5/account/transaction-log"): Route(account.transaction_log, limits=(25, 25)),
    ("GET", "/v5/account/instruments-info"): Route(account.instruments_info, limits=(10, 10)),
    ("POST", "/v5/account/set-margin-mode"): Route(account.set_margin_mode, limits=(5, 5)),
    ("POST", "/v5/account/set-hedging-mode"): Route(account.set_hedging_mode, limits=(5, 5)),
    ("GET", "/v5/account/smp-group"): Route(account.smp_group, limits=(5, 5)),
    ("GET", "/v5/account/query-dcp-info"): Route(protection.query, limits=(5, 5)),
    ("POST", "/v5/asset/transfer/universal-transfer"): Route(asset.universal_transfer, limits=(5, 5)),
    ("GET", "/v5/asset/transfer/query-universal-transfer-list"): Route(asset.universal_transfers, limits=(5, 5)),
    ("POST", "/v5/asset/transfer/inter-transfer"): Route(asset.inter_transfer, limits=(5, 5)),
    ("GET", "/v5/asset/transfer/query-inter-transfer-list"): Route(asset.inter_transfers, limits=(5, 5)),
    ("GET", "/v5/asset/transfer/query-account-coin-balance"): Route(asset.coin_balance, limits=(450, 450)),
    ("GET", "/v5/asset/transfer/query-account-coins-balance"): Route(asset.coins_balance, limits=(5, 5)),
    ("GET", "/v5/asset/transfer/query-transfer-coin-list"): Route(asset.transferable_coins, limits=(5, 5)),
    ("GET", "/v5/asset/transfer/query-sub-member-list"): Route(accounts.transferable_members, limits=(5, 5)),
    ("GET", "/v5/asset/coin/query-info"): Route(custody.coin_info, limits=(5, 5)),
    ("GET", "/v5/asset/deposit/query-record"): Route(custody.deposits, limits=(5, 5)),
    ("GET", "/v5/asset/deposit/query-sub-member-record"): Route(custody.sub_deposits, limits=(5, 5)),
    ("GET", "/v5/asset/deposit/query-address"): Route(custody.deposit_addresses, limits=(5, 5)),
    ("GET", "/v5/asset/withdraw/withdrawable-amount"): Route(custody.withdrawable, limits=(300, 300)),
    ("POST", "/v5/asset/withdraw/create"): Route(custody.withdraw, limits=(5, 5)),
    ("POST", "/v5/asset/withdraw/cancel"): Route(custody.cancel_withdrawal, limits=(5, 5)),
    ("GET", "/v5/asset/withdraw/query-record"): Route(custody.withdrawals, limits=(5, 5)),
    ("GET", "/v5/asset/withdraw/query-address"): Route(custody.withdrawal_addresses, limits=(5, 5)),
    ("GET", "/v5/user/query-api"): Route(api_keys.query_api, limits=(10, 10)),
    ("GET", "/v5/user/query-sub-members"): Route(accounts.sub_members, limits=(10, 10)),
    ("GET", "/v5/user/submembers"): Route(accounts.submembers, limits=(5, 5)),
    ("GET", "/v5/user/get-member-type"): Route(accounts.member_type, limits=(10, 10)),
    ("GET", "/v5/user/sub-apikeys"): Route(api_keys.sub_apikeys, limits=(10, 10)),
    ("POST", "/v5/user/create-sub-member"): Route(accounts.create_sub_member, limits=(1, 1)),
    ("POST", "/v5/user/frozen-sub-member"): Route(accounts.freeze_sub_member, limits=(5, 5)),
    ("POST", "/v5/user/del-submember"): Route(accounts.delete_sub_member, limits=(5, 5)),
    ("POST", "/v5/user/create-sub-api"): Route(api_keys.create_sub_api, limits=(1, 1)),
    ("POST", "/v5/user/update-sub-api"): Route(api_keys.update_sub_api, limits=(5, 5)),
    ("POST", "/v5/user/delete-sub-api"): Route(api_keys.delete_sub_api, limits=(5, 5)),
    ("GET", "/v5/earn/product"): _public(earn.products),
    ("POST", "/v5/earn/place-order"): Route(earn.place_order, limits=(5, 5)),
    ("GET", "/v5/earn/order"): Route(earn.orders, limits=(10, 10)),
    ("GET", "/v5/earn/position"): Route(earn.positions, limits=(10, 10)),
    ("GET", "/v5/earn/yield"): Route(earn.yields, limits=(10, 10)),
    ("GET", "/v5/earn/hourly-yield"): Route(earn.hourly_yields, limits=(10, 10)),
    ("GET", "/v5/earn/apr-history"): _public(earn.apr_history),
}

FEAR_AND_GREED = ("/fng/", "/fng")
VOLATILITY_INDEX = "/api/v2/public/get_volatility_index_data"
