"""`eternal run`: starts the system, guards it until the operator or the market's end ends it, and sums it up."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable

from rich.console import Console

from api.cli.report import collect, lines, problems
from api.cli.status import write_pid
from api.http.tls import certificate_of
from api.launch.display import Display, say
from api.launch.system import StartBrokenOffError, System
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.database.reading.reader import QueryUnavailableError
from infra.files import write_text_whole

LOOK_S = 0.1
DISPLAY_END_S = 1.0
"""What is shown may wait for a database that hangs; the end does not."""


def show_run(config: EternalConfig, *, until_end: bool) -> bool:
    """Run until Ctrl-C (or the market's end) and always end everything that was started. With `until_end` a summary is
    printed; False when it shows that the run was not sound.

    The screen is shown on a thread of its own and decides nothing: whatever fails in it (the database, a format, the
    terminal), the guard keeps running.

    Raises CertificateError before anything is started.
    """
    certificate_of(config.api.tls_certificate, config.api.tls_key)
    console = Console()
    system = System(config)
    ended, over = threading.Event(), threading.Event()
    with write_pid(config.data_folder):
        _listen_to_signals(ended)
        say(console, "Starting the database, the exchange and Ray …")
        is_up, told = False, set[str]()
        try:
            if not _aside(system.start, ended, lambda: say_news(system, console, told)):
                return True
            is_up = True
            display = threading.Thread(target=Display(system, console, over).run, name="display", daemon=True)
            display.start()
            # The handler of a signal runs on this thread and sets `ended`: to wait for that one here could deadlock.
            while not ended.is_set() and not (until_end and system.has_ended):
                over.wait(LOOK_S)
            over.set()
            display.join(DISPLAY_END_S)
            return not until_end or ended.is_set() or _summarise(system, console)
        finally:
            say(console, "Ending all processes …")
            system.stop()
            say(console, f"All processes have ended.{' The next start resumes from here.' if is_up else ''}")


def say_news(system: System, console: Console, told: set[str]) -> None:
    """What the start waits for."""
    for sentence in system.notices.shown():
        if sentence not in told:
            told.add(sentence)
            say(console, sentence, "bold yellow")


def _aside(work: Callable[[], object], ended: threading.Event, look: Callable[[], object]) -> bool:
    """Do the work on a thread of its own, so that a signal is obeyed at once, whatever the work waits for; False when
    one came before the work had ended. `look` is called meanwhile.

    Raises what the work raises.
    """
    failures: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="work", daemon=True).start()
    while not done.wait(LOOK_S):
        if ended.is_set():
            return False
        look()
    if failures and not isinstance(failures[0], StartBrokenOffError):
        raise failures[0]
    return not failures


def _listen_to_signals(ended: threading.Event) -> None:
    """Every way to end the program ends it in order; a second Ctrl-C does not break off the ending."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: ended.set())


def _summarise(system: System, console: Console) -> bool:
    """Print the summary and keep it as JSON; whether the run was sound."""
    queries = Queries(system.database_url)
    try:
        report = collect(queries)
    except QueryUnavailableError as error:
        say(console, f"The summary cannot be made: {error}. What the run has committed stays in the database.")
        return False
    finally:
        queries.close()
    path = system.config.data_folder / "summary.json"
    write_text_whole(path, json.dumps(report, indent=1, ensure_ascii=False))
    say(console, "\n".join(lines(report)))
    say(console, f"The same as JSON: {path}")
    if problems(report):
        say(console, "The run is NOT sound; see above.", "bold red")
    return not problems(report)
