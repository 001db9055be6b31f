"""API keys: what a bearer token proves, how far it reaches, and which of them this process knows.

A key is `OS-` and 40 random letters and digits, some 238 bits. It is shown once and kept as its SHA-256; the first
letters stay readable, and by them it is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from embedway.errors import StoreUnavailable, Unauthenticated
from embedway.settings import hash_secret
from embedway.types import DEFAULT_NAMESPACE

PREFIX = "OS-"
"""How the keys begin, as those of the AI Search Open Platform do."""
PREFIX_LENGTH = 8
"""Characters by which a key is found."""
NOTED_EVERY_S = 60.0
"""A key's last use is written as often at most."""
SETTLE_S = 2.0
"""Seconds that a call waits for the database's first answer, where that decides whether the server is open."""

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 40
_SHOWN_FIRST, _SHOWN_LAST = 5, 4


@dataclass(frozen=True, slots=True)
class Scope:
    """How far a key reaches; nothing named is no bound. Models and actions are patterns with `*` and `?`, actions in
    RAM's words, such as `searchplat:GetTextEmbedding`.
    """

    workspaces: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    @property
    def home(self) -> str:
        """The workspace that is meant where a path names none."""
        return self.workspaces[0] if self.workspaces else DEFAULT_NAMESPACE

    def reaches(self, workspace: str) -> bool:
        return not self.workspaces or workspace in self.workspaces

    def permits(self, action: str) -> bool:
        wanted = action.lower()
        return not self.actions or any(fnmatchcase(wanted, one.lower().replace("[", "[[]")) for one in self.actions)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is judged. Times are Unix time; `expires_s` None is never. Only a key with `admin` may manage."""

    id: str
    who: str
    digest: str = field(repr=False)
    prefix: str = ""
    admin: bool = False
    scope: Scope = Scope()
    enabled: bool = True
    expires_s: float | None = None
    revoked: bool = False

    def problem(self, now_s: float) -> str | None:
        """Why it is not taken."""
        if self.revoked:
            return "revoked"
        if self.expires_s is not None and self.expires_s <= now_s:
            return "expired"
        return None if self.enabled else "disabled"


class ApiKeys:
    """The keys of the configuration, by their digests, and those of the store."""

    def __init__(self, digests: Sequence[str], admin_digests: Sequence[str]) -> None:
        self._configured = [
            ApiKey(one[:16], f"{'admin-key' if admin else 'key'}:{one[:8]}", one, admin=admin)
            for admin, given in ((True, admin_digests), (False, digests))
            for one in given
        ]
        self._stored: dict[str, list[ApiKey]] = {}
        self._exist = bool(self._configured)
        self._noted_s: dict[str, float] = {}
        self._used_s: dict[str, float] = {}
        self._read = asyncio.Event()
        self._read.set()

    def expect(self) -> None:
        """There is a store, which has not been read yet."""
        self._read.clear()

    def take(self, stored: Iterable[ApiKey]) -> None:
        """Make these the stored ones, whatever they were before."""
        found: dict[str, list[ApiKey]] = {}
        for key in stored:
            found.setdefault(key.prefix, []).append(key)
        self._stored = found
        self._exist = self._exist or bool(found)
        self._read.set()

    @property
    def known(self) -> bool:
        """Whether the store was read, or there is none."""
        return self._read.is_set()

    @property
    def exist(self) -> bool:
        """Whether any key was ever seen, revoked ones too: to revoke the last one, or to lose the database, must not
        open the door.
        """
        return self._exist

    async def settle(self) -> None:
        """Return when the store was read, or `SETTLE_S` later."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._read.wait(), SETTLE_S)

    def find(self, token: str, now_s: float) -> ApiKey:
        """The key that this token is. Raises `Unauthenticated`, and `StoreUnavailable` while nobody can tell.

        All that begin alike are compared, so that the time taken does not tell which one was near.
        """
        digest = hash_secret(token)
        candidates: list[ApiKey] = [*self._configured, *self._stored.get(token[:PREFIX_LENGTH], ())]
        found = [one for one in candidates if hmac.compare_digest(digest, one.digest)]
        if not found:
            if not self.known:
                raise StoreUnavailable("The database with the API keys has not been read yet: try again soon.")
            raise Unauthenticated("The API key is not valid.")
        if problem := found[0].problem(now_s):
            raise Unauthenticated(f"The API key is {problem}.")
        self._note(found[0].id, now_s)
        return found[0]

    def take_used(self) -> dict[str, float]:
        """When keys were used that has not been written yet: Unix time by id."""
        used, self._used_s = self._used_s, {}
        return used

    def _note(self, key_id: str, now_s: float) -> None:
        if now_s - self._noted_s.get(key_id, 0.0) >= NOTED_EVERY_S:
            self._noted_s[key_id] = self._used_s[key_id] = now_s


def make_token() -> str:
    """A new key."""
    return PREFIX + _random(_LENGTH)


def make_id() -> str:
    """A name for a key, which is no secret."""
    return f"key-{_random(12).lower()}"


def mask(token: str) -> str:
    """As the platform's console shows it: `OS-v0********6vvs`."""
    return f"{token[:_SHOWN_FIRST]}********{token[-_SHOWN_LAST:]}"


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))
