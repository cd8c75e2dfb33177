"""A report as a self-contained page for mail programs, and as plain text. Pure; every text is escaped here, and loses
the characters that turn its direction around, as on every channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape

from api.reports import curves
from api.reports.curves import Look, Points
from api.reports.facts import Facts, by_day, falls
from api.reports.words import Section, Table, percent, usdt, words_of
from infra.backtest.report.page.html import Cell, Column, Value, table
from statemachines.notifications.plain import BIDI

BLUE, RED = "#2b6cb0", "#b3303f"

CSS = """
:root { color-scheme: light dark; --ink: #1d2733; --muted: #5b6774; --rule: #dfe4e9; --ground: #f3f5f7; --card: #ffffff;
  --bad: #b3303f; --good: #2f7a4f; --warn-ground: #fff3d6; --warn-ink: #6b4300; --act: #fbe9eb; --act-ink: #8d1f2d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --muted: #9aa7b4; --rule: #2f3a45; --ground: #12181f;
  --card: #1a222b; --bad: #f0858f; --good: #7cc79b; --warn-ground: #3a2f14; --warn-ink: #f0d08a; --act: #3d1d22;
  --act-ink: #f5b5bc; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 24px 16px 40px; background: var(--ground); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 860px; margin: 0 auto; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 16px; margin: 0 0 8px; }
p { margin: 0 0 10px; } .muted, .note { color: var(--muted); } .note { font-size: 12.5px; margin: 10px 0 0; }
.notice { background: var(--warn-ground); color: var(--warn-ink); border-radius: 8px; padding: 9px 14px;
  margin: 10px 0 0; }
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 10px; margin: 18px 0; }
.tile, .card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.tile { padding: 12px 14px; } .tile span { display: block; color: var(--muted); font-size: 12.5px; line-height: 1.35; }
.tile b { display: block; font-size: 19px; line-height: 1.35; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.card { padding: 16px 18px; margin: 0 0 14px; }
.card.act { background: var(--act); border-color: transparent; } .card.act h2, .card.act p { color: var(--act-ink); }
ul { margin: 0; padding: 0 0 0 18px; } li { margin: 0 0 6px; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; margin: 6px 0 12px; } svg text { font-size: 12px; fill: var(--muted); }
h3 { font-size: 13px; font-weight: 600; color: var(--muted); margin: 8px 0 0; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 8px; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--muted); font-weight: 600; font-size: 12.5px; } td { white-space: nowrap; }
th.text, td.text { text-align: left; } td.wide { white-space: normal; overflow-wrap: anywhere; }
th:first-child, td:first-child { padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child td { border-bottom: 0; } tr.strong td { font-weight: 600; border-top: 1px solid var(--muted); }
td.bad { color: var(--bad); } td.good { color: var(--good); }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 3px; margin-right: 7px; }
footer { color: var(--muted); font-size: 12.5px; margin: 18px 2px 0; }
@media (max-width: 640px) {
  .tile b { font-size: 16px; } body { padding: 16px 10px 32px; } .card { padding: 14px; } svg text { font-size: 20px; }
}
@media (max-width: 880px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  thead { display: none; } table, tbody { display: block; }
  tr { display: grid; grid-template-columns: 1fr 1fr; gap: 1px 18px; padding: 9px 0;
    border-bottom: 1px solid var(--rule); }
  tbody tr:last-child { border-bottom: 0; } tr.strong td { border-top: 0; }
  td { display: flex; justify-content: space-between; gap: 10px; border: 0; padding: 1px 0; text-align: right;
    white-space: normal; overflow-wrap: anywhere; }
  td.text, td.wide { text-align: right; }
  td::before { content: attr(data-label); color: var(--muted); font-weight: 400; flex: none; white-space: nowrap; }
  td:first-child { grid-column: 1 / -1; justify-content: flex-start; align-items: center; gap: 0; font-weight: 600; }
  td:first-child::before { content: none; } td.wide { grid-column: 1 / -1; }
}
"""
"""Colours by the reader's own setting; where a mail program drops the style the tables remain readable."""

TONED = frozenset({"Result", "Return", "Realised"})


def page(facts: Facts) -> str:
    """The whole page."""
    words = words_of(facts)
    tiles = "".join(
        f'<div class="tile"><span>{escape(name)}</span><b>{escape(value)}</b><span>{escape(about)}</span></div>'
        for name, value, about in words.tiles
    )
    notices = "".join(f'<p class="notice">{escape(one)}</p>' for one in words.notices)
    drawn = _drawn(facts)
    made = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(words.title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><style>{CSS}</style></head><body><main>'
        f'<h1>{escape(words.title)}</h1><p class="muted">{escape(words.subtitle)}</p>{notices}'
        f'<div class="tiles">{tiles}</div>{"".join(_section(facts, one, drawn) for one in words.sections)}'
        f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in words.footer)}</footer></main></body></html>"
    )
    return made.translate(BIDI)


def _section(facts: Facts, section: Section, drawn: dict[str, str]) -> str:
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    items = f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in section.items)}</ul>" if section.items else ""
    pictures = "".join(drawn.get(name, "") for name in section.curves)
    rows = "" if section.table is None else _table(section.table)
    said = "".join(f'<p class="note">{escape(line)}</p>' for line in (curve_lines(facts) if section.curves else ()))
    kind = "card act" if section.is_urgent else "card"
    return f'<section class="{kind}"><h2>{escape(section.title)}</h2>{text}{items}{pictures}{said}{rows}</section>'


def _table(content: Table) -> str:
    widest = {"Reason", "Alert", "Between"}
    columns = [Column(head, is_text=is_text, is_wide=head in widest) for head, is_text in content.heads]
    note = f'<p class="note">{escape(content.note)}</p>' if content.note else ""
    return (
        table(
            columns,
            [[_cell(column, value) for column, value in zip(columns, row, strict=True)] for row in content.rows],
        )
        + note
    )


def _cell(column: Column, value: str) -> Value:
    """Losses are red; costs are not, since there are always some."""
    return Cell(value, "bad") if value.startswith("−") and column.head in TONED else value


def _drawn(facts: Facts) -> dict[str, str]:
    equity: Points = [(day, None if row is None else float(row["equity_usdt"])) for day, row in by_day(facts.days)]
    looks: list[tuple[str, Points, Look]] = [
        ("equity", equity, Look("Equity, USDT", BLUE, lambda value: f"{value:,.0f}")),
        (
            "drawdown",
            falls(facts.days),
            Look("Drawdown from the highest close of this time", RED, _fall, height=150, lines=2, is_from_zero=True),
        ),
    ]
    return {name: f"<h3>{escape(look.title)}</h3>{curves.svg(points, look)}" for name, points, look in looks}


def _fall(value: float) -> str:
    """Without needless digits, as on an axis: "−10 %", "−9.26 %"."""
    return percent(round(value, 4)).replace(".00 %", " %")


# --- plain text ---


def text(facts: Facts) -> str:
    """The same report for a program that shows no pages."""
    words = words_of(facts)
    lines = [words.title, "=" * len(words.title), words.subtitle, *(f"! {one}" for one in words.notices), ""]
    lines += [f"{name}: {value} ({about})" for name, value, about in words.tiles]
    for section in words.sections:
        lines += ["", section.title, "-" * len(section.title)]
        if section.text:
            lines.append(section.text)
        lines += [f"* {one}" for one in section.items]
        if section.curves:
            lines += curve_lines(facts)
        if section.table is not None:
            lines += _text_table(section.table)
    return "\n".join([*lines, "", *words.footer, ""]).translate(BIDI)


def curve_lines(facts: Facts) -> list[str]:
    """What the curves show, in sentences: for programs that draw none."""
    known = [(day, row) for day, row in by_day(facts.days) if row is not None]
    deepest = min(((value, day) for day, value in falls(facts.days) if value is not None), default=None)
    lines = [_first_and_last(known)] if known else []
    return lines + ([f"Deepest fall of this time: {percent(round(deepest[0], 4))} on {deepest[1]}."] if deepest else [])


def _first_and_last(known: Sequence[tuple[date, object]]) -> str:
    (first, before), (last, after) = known[0], known[-1]
    return f"Equity {_equity(before)} on {first}, {_equity(after)} on {last}."


def _equity(row: object) -> str:
    assert isinstance(row, dict)
    return f"{usdt(row['equity_usdt'])} USDT"


def _text_table(content: Table) -> list[str]:
    heads = [head for head, _ in content.heads]
    widths = [max(len(heads[n]), *(len(row[n]) for row in content.rows)) for n in range(len(heads))]
    last = len(heads) - 1

    def line(values: Sequence[str]) -> str:
        cells = [
            value if n == last and is_text else value.ljust(widths[n]) if is_text else value.rjust(widths[n])
            for n, (value, (_, is_text)) in enumerate(zip(values, content.heads, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return [line(heads), *(line(row) for row in content.rows), *([content.note] if content.note else [])]
