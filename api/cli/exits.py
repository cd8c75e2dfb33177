"""How a command ends: the exit codes, and the one place that turns an error into a sentence and its code
(docs/operations.md, "Exit codes")."""

from __future__ import annotations

import json
from enum import IntEnum

import typer

from api.client.errors import RefusedError, UnansweredError
from infra.faults import NotFoundError, NothingThereError


class ExitCode(IntEnum):
    """What a script may rely on."""

    DONE = 0
    FOUND = 1
    """A check found something, or a question was not answered with yes."""
    BAD_ARGUMENT = 2
    """An argument, an option, a setting or a file is refused: it cannot be read, or is not among what is allowed;
    nothing was done."""
    NOTHING_RUNS = 3
    """No system runs on the data folder, or none has run on it yet."""
    UNANSWERED = 4
    """The interface does not answer, or cannot do now what was asked."""
    REFUSED = 5
    """The credential is missing, wrong or ended, its scope does not reach so far, or too many requests came."""
    NOT_FOUND = 6
    """One thing that was named by its id, name or number does not exist, though it could. A filter that nothing matches
    is no fault: the list is empty."""
    UNWRITTEN = 7
    """The output cannot be written, as on a full disk. What the command does beside that was done."""


BY_STATUS = {
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    408: ExitCode.UNANSWERED,
    429: ExitCode.REFUSED,
    503: ExitCode.UNANSWERED,
}
"""Every other status of a refusal is a bad argument."""

ASKED_FOR_JSON = "eternal.json"
"""In a context's `meta`: whether the errors are JSON too."""


def exit_code_of(error: Exception) -> ExitCode:
    """The code of an error that a person can repair."""
    if isinstance(error, UnansweredError):
        return ExitCode.UNANSWERED
    if isinstance(error, RefusedError):
        return BY_STATUS.get(error.status, ExitCode.BAD_ARGUMENT)
    if isinstance(error, NotFoundError):
        return ExitCode.NOT_FOUND
    return ExitCode.NOTHING_RUNS if isinstance(error, NothingThereError) else ExitCode.BAD_ARGUMENT


def sentence_of(error: Exception) -> str:
    """What is said of it."""
    if isinstance(error, UnansweredError):
        return f"The interface does not answer: {str(error).rstrip('.')}."
    return error.sentence if isinstance(error, RefusedError) else str(error)


def end_with(code: ExitCode, sentence: str, *, as_json: bool) -> typer.Exit:
    """Say it on the error output, in the form that was asked for; the exception that ends the command."""
    if as_json:
        sentence = json.dumps({"error": sentence, "exit_code": int(code), "kind": code.name.lower()})
    typer.echo(sentence, err=True)
    return typer.Exit(int(code))
