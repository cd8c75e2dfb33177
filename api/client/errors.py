"""What a call of the interface may end with instead of an answer."""

from __future__ import annotations


class UnansweredError(Exception):
    """The interface does not answer; the text says why, without a full stop."""


class UnreachedError(UnansweredError):
    """Nothing was sent: nothing listens there, or what is needed to send it is missing."""


class StrangeAnswerError(UnansweredError):
    """Something answers that is not this interface, or one of another version."""


class RefusedError(Exception):
    """The interface refuses: `status` is HTTP's, `sentence` has field, value and what is allowed."""

    def __init__(self, status: int, sentence: str, field: str | None = None) -> None:
        self.status, self.sentence, self.field = status, sentence, field
        super().__init__(sentence)
