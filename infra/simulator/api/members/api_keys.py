"""API keys of sub-accounts: made, changed, deleted and listed with the master's key; what a key itself is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.keys import ALL_GROUPS, CHOICES, UNBOUND, ApiKey, days_left, expires_ms
from infra.simulator.api.members.rights import denied, of_master, sub_account
from infra.simulator.api.paging import cursor_of, seq_of
from infra.simulator.api.params import shown
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.registers.registry import KeyRecord

NO_EXPIRY = "1970-01-01T00:00:00Z"
KEYS_MAXIMUM = 20
HIDDEN = "******"
MADE = 3
"""Status of a key that works."""


def query_api(ctx: Context) -> Answer:
    """GET /v5/user/query-api: what this key is; never the secret."""
    key, account = ctx.key, ctx.account
    record = ctx.venue.registry.keys.get(key.number)
    master = next(one for one in ctx.venue.config.accounts if one.is_master) if not account.is_master else None
    result: dict[str, Any] = {
        "id": str(record.number if record else account.uid),
        "note": record.note if record else f"simulated {account.name}",
        "apiKey": key.key,
        "readOnly": 1 if key.read_only else 0,
        "secret": "",
        "permissions": _permissions(key),
        "ips": list(record.ips) if record else ["127.0.0.1"],
        "type": 1,
        "deadlineDay": -2 if record is None else days_left(record, ctx.venue.now_ms),
        "expiredAt": NO_EXPIRY if record is None else _expiry(record),
        "createdAt": "2020-01-01T00:00:00Z" if record is None else _instant(record.created_ms),
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": account.is_master,
        "parentUid": "0" if master is None else str(master.uid),
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
        "userIDInt64": str(account.uid),
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    }
    return Answer(result, message="")


def create_sub_api(ctx: Context) -> Answer:
    """POST /v5/user/create-sub-api: the only answer that carries the key's secret."""
    of_master(ctx, writes=True)
    account = sub_account(ctx, "subuid")
    registry = ctx.venue.registry
    if sum(1 for one in registry.keys.values() if one.account == account.name) >= KEYS_MAXIMUM:
        raise params_error(f"params error: a sub-account has at most {KEYS_MAXIMUM} keys.")
    permissions = _asked(ctx)
    if not any(permissions.values()):
        raise params_error("params error: permissions must name at least one.")
    record = KeyRecord(
        ctx.venue.next_seq(), account.name, ctx.params.text("note"), _read_only(ctx), _ips(ctx), permissions,
        ctx.venue.now_ms,
    )  # fmt: skip
    registry.keys[record.number] = record
    ctx.keys.refresh(ctx.venue)
    key = ctx.keys.key_of(ctx.venue, record)
    return Answer(_made(record, key) | {"secret": key.secret}, message="")


def update_sub_api(ctx: Context) -> Answer:
    """POST /v5/user/update-sub-api: of a sub-account's own key, or (with `apikey`) by the master."""
    record = _chosen(ctx)
    if ctx.params.text("readOnly"):
        record.read_only = _read_only(ctx)
    if ctx.params.values.get("ips"):
        record.ips = _ips(ctx)
    if ctx.params.values.get("permissions"):
        record.permissions = _asked(ctx)
    ctx.keys.refresh(ctx.venue)
    return Answer(_made(record, ctx.keys.key_of(ctx.venue, record)) | {"ips": list(record.ips)}, message="")


def delete_sub_api(ctx: Context) -> Answer:
    """POST /v5/user/delete-sub-api: the key is refused from then on."""
    del ctx.venue.registry.keys[_chosen(ctx).number]
    ctx.keys.refresh(ctx.venue)
    return Answer({}, message="")


def sub_apikeys(ctx: Context) -> Answer:
    """GET /v5/user/sub-apikeys: the keys made by request, newest first, without secrets."""
    of_master(ctx)
    account = sub_account(ctx, "subMemberId")
    limit, after = ctx.params.limit(20, 20), seq_of(ctx.params.text("cursor"))
    records = [
        one
        for one in reversed(ctx.venue.registry.keys.values())
        if one.account == account.name and (after is None or one.number < after)
    ]
    cursor = cursor_of(records[limit - 1].number) if len(records) > limit else ""
    rows = [_listed(ctx, one) for one in records[:limit]]
    return Answer({"result": rows, "nextPageCursor": cursor}, message="")


def _chosen(ctx: Context) -> KeyRecord:
    """The record of the key to change. 10005 for a key that may not, 10001 for one that is none of a sub-account."""
    wanted = ctx.params.text("apikey", ctx.key.key)
    if wanted != ctx.key.key:
        of_master(ctx, writes=True)
    elif ctx.key.read_only:
        raise denied()
    issued = ctx.keys.issued.get(wanted)
    if issued is None:
        raise params_error(f"params error: apikey {shown(wanted)} is no key of a sub-account made by request.")
    return ctx.venue.registry.keys[issued.number]


def _read_only(ctx: Context) -> bool:
    value = ctx.params.integer("readOnly")
    if value not in (0, 1):
        raise params_error(f"params error: readOnly {value} is not one of 0, 1.")
    return value == 1


def _ips(ctx: Context) -> list[str]:
    given = ctx.params.values.get("ips")
    texts = given if isinstance(given, list) else ctx.params.text("ips", UNBOUND).split(",")
    ips = [one.strip() for one in texts if isinstance(one, str) and one.strip()]
    if len(ips) != len(texts) or any(len(one) > 45 or not one.isprintable() for one in ips):
        raise params_error("params error: ips must be addresses, separated by commas, or *.")
    return ips


def _asked(ctx: Context) -> dict[str, list[str]]:
    given = ctx.params.values.get("permissions")
    if not isinstance(given, dict):
        raise params_error("params error: permissions must be an object of lists.")
    asked: dict[str, list[str]] = {}
    for group, names in given.items():
        allowed = CHOICES.get(group)
        if allowed is None or not isinstance(names, list) or any(name not in allowed for name in names):
            raise params_error(f"params error: permissions {shown(group)} must be of {', '.join(allowed or CHOICES)}.")
        asked[group] = [name for name in allowed if name in names]
    return asked


def _permissions(key: ApiKey) -> dict[str, list[str]]:
    return {group: list(key.permissions.get(group, ())) for group in ALL_GROUPS}


def _made(record: KeyRecord, key: ApiKey) -> dict[str, Any]:
    return {
        "id": str(record.number),
        "note": record.note,
        "apiKey": key.key,
        "readOnly": 1 if record.read_only else 0,
        "secret": "",
        "permissions": _permissions(key),
    }


def _listed(ctx: Context, record: KeyRecord) -> dict[str, Any]:
    return _made(record, ctx.keys.key_of(ctx.venue, record)) | {
        "ips": list(record.ips),
        "status": MADE,
        "expiredAt": _expiry(record),
        "createdAt": _instant(record.created_ms),
        "type": 1,
        "secret": HIDDEN,
        "readOnly": record.read_only,
        "deadlineDay": days_left(record, ctx.venue.now_ms),
        "flag": "hmac",
    }


def _expiry(record: KeyRecord) -> str:
    ends_ms = expires_ms(record)
    return NO_EXPIRY if ends_ms is None else _instant(ends_ms)


def _instant(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
