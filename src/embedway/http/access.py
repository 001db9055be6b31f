"""Who may call: API keys, and in keyless mode that the caller sits on this machine and is no foreign web page."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from embedway.access.keys import Keys
from embedway.errors import Forbidden
from embedway.http.exchange import Exchange
from embedway.settings import Settings


class Access:
    """The data plane is open only while the server listens on loopback and no key exists, or with `--no-auth`.

    A keyless server must not be driven by a web page that the user happens to visit: a foreign `Origin` is refused,
    and so is a `Host` that is not loopback (DNS rebinding).
    """

    def __init__(self, settings: Settings) -> None:
        self._keys = Keys(settings.api_key_sha256)
        self._keyless = settings.keyless
        self._check_host = settings.keyless and settings.loopback and not settings.no_auth
        self._origins = settings.cors_origin

    def check(self, exchange: Exchange, guarded: bool) -> None:
        """Name the caller. Raises `Unauthenticated`, `Forbidden`."""
        headers = exchange.request.headers
        if self._keyless and guarded:
            host = headers.get("host", "")
            if self._check_host and not is_loopback_host(host):
                raise Forbidden(
                    "Without an API key this server answers only to a loopback Host such as 127.0.0.1 or localhost."
                )
            self._check_origin(headers.get("origin"), host)
        if guarded:
            exchange.caller = self._keys.identify(headers.get("authorization"))

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or "*" in self._origins or origin in self._origins or _authority(origin) == _authority(host):
            return
        raise Forbidden(
            "Without an API key this server refuses calls from foreign web pages: allow them with --cors-origin."
        )


def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine; the vendor SDK's form `http://127.0.0.1:8000/` included."""
    try:
        name = urlsplit(_with_scheme(host)).hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _authority(text: str) -> str:
    try:
        return urlsplit(_with_scheme(text)).netloc.lower()
    except ValueError:
        return ""


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"http://{text}"
