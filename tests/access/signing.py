"""Sign a request as a caller does: a second writing of the rules, for tests that need a signature of this moment."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

Algorithm = Literal["ACS3-HMAC-SHA256", "ACS4-HMAC-SHA256"]


@dataclass(frozen=True)
class Signer:
    """An access key that signs. `late_s` is how far its clock is behind."""

    key_id: str
    secret: str
    algorithm: Algorithm = "ACS3-HMAC-SHA256"
    late_s: float = 0.0

    def sign(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        host: str = "127.0.0.1",
        nonce: str | None = None,
        signed_path: str | None = None,
        names: Sequence[str] = ("host", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce"),
    ) -> dict[str, str]:
        """The headers to send. `signed_path` is what is signed instead of the target's path."""
        parts = urlsplit(target)
        date = (datetime.now(UTC) - timedelta(seconds=self.late_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        headers = {
            "host": host,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
            "x-acs-date": date,
            "x-acs-signature-nonce": nonce or uuid.uuid4().hex,
        }
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        lines = [method, signed_path or parts.path, "&".join(f"{k}={quote(v, safe='~')}" for k, v in query)]
        lines += ["".join(f"{name}:{headers[name]}\n" for name in names), ";".join(names)]
        lines.append(headers["x-acs-content-sha256"])
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key, credential = self._key(date[:10].replace("-", ""))
        signature = hmac.new(key, f"{self.algorithm}\n{digest}".encode(), hashlib.sha256).hexdigest()
        headers["Authorization"] = (
            f"{self.algorithm} Credential={credential},SignedHeaders={';'.join(names)},Signature={signature}"
        )
        return headers

    def _key(self, day: str) -> tuple[bytes, str]:
        if self.algorithm == "ACS3-HMAC-SHA256":
            return self.secret.encode(), self.key_id
        key = b"aliyun_v4" + self.secret.encode()
        scope = (day, "center", "Searchplat", "aliyun_v4_request")
        for part in scope:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key, "/".join((self.key_id, *scope))
