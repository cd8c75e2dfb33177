"""Faults that a person can fix: the command line shows their text and ends with a code (`api.cli.exits`), without a
traceback."""

from __future__ import annotations

from collections.abc import Sequence


class OperatorError(Exception):
    """Base of all errors whose text says to the operator what happened, what was done and what action is required."""


class NotFoundError(OperatorError):
    """One thing that was named by its id, name or number does not exist, though it could (exit code 6). A value that is
    not among those that are allowed at all is another OperatorError (exit code 2)."""


class NothingThereError(OperatorError):
    """No system runs where one must, or none has run there yet (exit code 3)."""


class ConfigurationError(OperatorError):
    """The configuration is refused; the program does not start. `problems` has one sentence per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def continued(sentence: str) -> str:
    """A sentence as it continues another one: with a small first letter, unless a name comes first (DATABASE_URL)."""
    first = sentence.split(maxsplit=1)[:1]
    is_name = bool(first) and first[0] != "A" and first[0] != first[0].capitalize()
    return sentence if is_name else f"{sentence[:1].lower()}{sentence[1:]}"
