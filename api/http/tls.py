"""The interface's certificate: read before anything starts, and read again when it was renewed."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from infra.faults import OperatorError
from infra.files import close_to_others, stamp_of

_log = logging.getLogger(__name__)


class CertificateError(OperatorError):
    """Certificate or key cannot be used; the sentence names the file and what is required."""


class Certificate:
    """A certificate with its key, in two files. TLS 1.3 and nothing older (DE-3)."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises CertificateError."""
        self._certificate, self._key = certificate, key
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._seen = self._stamps()
        self._load(self._context)

    @property
    def context(self) -> ssl.SSLContext:
        """What a server listens with; a renewed certificate counts for the next connection."""
        return self._context

    def look(self) -> None:
        """Take a renewed certificate. One that cannot be used is left and logged: the one before stays in use."""
        try:
            seen = self._stamps()
            if seen == self._seen:
                return
            self._seen = seen
            self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # judged before it is taken
            self._load(self._context)
            _log.info("the renewed certificate %s is in use", self._certificate)
        except (CertificateError, OSError) as error:
            _log.warning("the certificate that was read before stays in use: %s", error)

    def _load(self, context: ssl.SSLContext) -> None:
        for name, path in (("api.tls_certificate", self._certificate), ("api.tls_key", self._key)):
            try:
                if not path.read_bytes().strip():
                    raise CertificateError(f"{name} {path} is empty; a file in PEM is required.")
            except OSError as error:
                raise CertificateError(f"{name} {path} cannot be read: {error.strerror or error}.") from None
        close_to_others(self._key)
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            why = getattr(error, "reason", None) or str(error) or "it is no PEM"
            raise CertificateError(
                f"api.tls_certificate {self._certificate} and api.tls_key {self._key} cannot be used together "
                f"({str(why).replace('_', ' ').lower()}): a certificate in PEM and its own key are required, the key "
                "without a password."
            ) from None

    def _stamps(self) -> tuple[object, object]:
        return stamp_of(self._certificate), stamp_of(self._key)


def certificate_of(certificate: Path | None, key: Path | None) -> Certificate | None:
    """The configured certificate; None where there is none. Raises CertificateError."""
    return None if certificate is None or key is None else Certificate(certificate, key)


def _no_password() -> str:
    raise ValueError("the key has a password")
