"""Takes the codes of second factors: each once, also across restarts; guesses are slowed by credential and address."""

from __future__ import annotations

import time
from collections.abc import Callable

from api.access.answers import Refused, wait
from api.access.failures import FailureDesk
from api.access.prover import Holder, Prover
from api.access.state import StateFile
from api.access.totp import step_of

WRONG_CODE = (
    "The code is wrong, or was used before: a code counts once. Wait for the next one (30 s); if they stay wrong, "
    "check the clock of the device that shows them."
)


class Codes:
    """Safe for several threads and, by the file's lock, for several programs."""

    def __init__(
        self, file: StateFile, prover: Prover, failures: FailureDesk, now_s: Callable[[], float] = time.time
    ) -> None:
        self._file, self._prover, self._failures, self._now_s = file, prover, failures, now_s

    def take(self, holder: Holder, code: str, address: str) -> Refused | None:
        """None: the code is right and is used up. Raises AccessError and OSError: it could not be used up, and must
        not count."""
        if (wait_s := self._failures.wait_s(address, holder.credential_id)) > 0:
            return wait("Too many wrong codes came for this credential, or attempts from this address", wait_s)
        if self._use(holder, code):
            self._failures.code_taken(holder.credential_id)
            return None
        self._failures.failed("code", address, holder.person, holder.credential_id)
        return Refused(401, WRONG_CODE)

    def _use(self, holder: Holder, code: str) -> bool:
        credential = self._prover.credential(holder.credential_id)
        if credential is None or credential.totp is None:
            return False
        secret = credential.totp
        with self._file.changing() as draft:
            used = draft.value.used_codes
            step = step_of(secret, code, self._now_s(), used.get(holder.credential_id, -1))
            if step is None:
                return False
            draft.value = draft.value.model_copy(update={"used_codes": {**used, holder.credential_id: step}})
        return True
