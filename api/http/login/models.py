"""What is sent and answered at the console's way in; `_ms` are milliseconds UTC of wall time."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.access.scopes import Scope
from api.http.models import Model

Code = Annotated[str, Field(pattern=r"^[0-9]{6}$", description="the code of the second factor", examples=["123456"])]
Ms = Annotated[int, Field(description="milliseconds UTC, wall time", examples=[1735689600000])]


class LoginRequest(BaseModel):
    """A login: a token, with a code where the credential has a second factor, or a one-time link's secret."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    token: str | None = Field(default=None, repr=False, min_length=1, max_length=400)
    code: Code | None = Field(default=None, repr=False)
    link: str | None = Field(default=None, repr=False, min_length=1, max_length=100)

    @model_validator(mode="after")
    def _is_one(self) -> LoginRequest:
        if (self.token is None) == (self.link is None):
            raise ValueError("either token or link is required, and not both")
        if self.link is not None and self.code is not None:
            raise ValueError("a code belongs to a token, not to a link")
        return self


class CodeRequest(BaseModel):
    """A code, to let the session reach further than reading."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    code: Code = Field(repr=False)


class Standing(Model):
    """Who the request comes from and how far it reaches. A bearer's request has no session: the fields from
    `session_id` on are null then."""

    person: str
    scope: Scope = Field(description="how far it reaches now")
    withheld: Scope | None = Field(description="how far it would reach after a code; null where none is needed")
    session_id: str | None
    csrf: str | None = Field(description="every request that changes something carries it in the header X-CSRF-Token")
    idle_s: int | None = Field(description="the session ends after so many seconds without a request")
    ends_ms: Ms | None = Field(description="the session ends then in any case")


class SessionRow(Model):
    """A session that can be used now."""

    session_id: str
    person: str
    scope: Scope
    is_confirmed: bool = Field(description="whether a code of a second factor was given in it")
    way: str = Field(description="token or link")
    address: str = Field(description="where the login came from")
    made_ms: Ms
    seen_ms: Ms = Field(description="its last request, to the minute")
    ends_ms: Ms
    idle_s: int = Field(description="it ends after so many seconds without a request")
    is_own: bool = Field(description="whether this request came with it")


class Ended(Model):
    """That a session has ended."""

    session_id: str
