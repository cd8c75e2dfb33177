"""`eternal notify`: what goes to people."""

from __future__ import annotations

import typer

from api.cli.notify.report import report

notify_app = typer.Typer(no_args_is_help=True, help="What goes to people: look at a report.")


@notify_app.callback()
def _group() -> None:
    """What goes to people."""


notify_app.command()(report)
