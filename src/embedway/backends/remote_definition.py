"""A registered model's definition, checked and ready for use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import quote, urlencode

from embedway.backends.remote_path import compile_path
from embedway.backends.remote_secrets import in_parameters, in_query
from embedway.egress import Refused, is_public
from embedway.errors import InvalidInput
from embedway.models.template import INPUT, Template, as_text, used
from embedway.types import Phase, RemoteSpec

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
PhaseName = Literal["build", "search"]
PHASES: tuple[PhaseName, ...] = ("build", "search")
MAX_HEADER_CHARACTERS = 8192
"""Of one value: what servers take of a header at most."""
_OURS = (
    *("connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade"),  # hop by hop, RFC 9110 §7.6.1
    *("content-length", "host"),  # what the body and the URL decide
)
_PLAIN = ("accept", "content-type", "user-agent")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LEAST_SECRET = 4
_HIDDEN = "***"


class Definition:
    """What is sent where, and where the results are in the answer. `host` is the service's, with a port given."""

    def __init__(self, remote: RemoteSpec) -> None:
        """Raise `InvalidInput` with the field that is wrong, as `check_remote` does."""
        self.remote = remote
        self.url = _at("$.url", _read_url, remote)
        self.host = self.url.netloc.decode("ascii")
        self.headers = _read_headers(remote.headers)
        self.template = _at("$.request.requestBody", Template, remote.body)
        self.path = _at("$.response.embeddings", compile_path, remote.response)
        self._urls = {phase: self._with_params(phase) for phase in PHASES}
        self._check_method()
        self._check_variables()
        self._secrets = self._find_secrets()

    @property
    def takes_many(self) -> bool:
        """Whether one request can hold several inputs, and its answer several results."""
        return self.template.takes_many and not self.path.singular_query()

    def phase(self, name: PhaseName) -> Phase:
        return self.remote.build if name == "build" else self.remote.search

    def body(self, phase: PhaseName, inputs: Sequence[str]) -> bytes:
        """Raises `InvalidInput` where the phase has no value for a variable."""
        return self.template.fill(inputs, self.phase(phase).parameters)

    def address(self, phase: PhaseName) -> str:
        """The URL with the phase's parameters."""
        return self._urls[phase]

    def status_address(self, phase: PhaseName, task: str) -> str:
        """Where the platform says how a task fares: beside the path that took it, with the same parameters."""
        path = self.url.raw_path.decode("ascii").partition("?")[0].rstrip("/")
        query = self._urls[phase].partition("?")[2]
        asked = f"{query}&" if query else ""
        return f"{self.url.scheme}://{self.host}{path}/task-status?{asked}task_id={quote(task, safe='')}"

    def missing(self, phase: PhaseName) -> frozenset[str]:
        """The template's variables that have no value in this phase."""
        return self.template.variables - {INPUT} - set(self.phase(phase).parameters)

    def scrub(self, text: str, cut: bool = False) -> str:
        """The text without the definition's secrets, nor the beginning of one where it was `cut`."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        if cut:
            for secret in self._secrets:
                text = _without_beginning(text, secret)
        return text

    def quote(self, text: str, characters: int) -> str:
        """The beginning of what the service said, on one line, without secrets."""
        plain = "".join(one if one.isprintable() else " " for one in self.scrub(text, cut=True))
        return " ".join(plain.split())[:characters]

    def _with_params(self, phase: PhaseName) -> str:
        added = _read_params(self.phase(phase).url_params, f"$.request.urlParams.{phase}")
        url = str(self.url)
        return f"{url}{'&' if '?' in url else '?'}{added}" if added else url

    def _check_method(self) -> None:
        if self.remote.method not in ("POST", "PUT"):
            raise InvalidInput("The method must be POST or PUT.", "$.method")

    def _check_variables(self) -> None:
        unknown = self.missing("build") & self.missing("search")
        if unknown:
            raise InvalidInput(
                f"The template's variable '{min(unknown)}' has no value: give it in parameters.build and "
                "parameters.search.",
                "$.request.requestBody",
            )
        for phase in PHASES:
            for name, value in self.phase(phase).parameters.items():
                _at(f"$.request.parameters.{phase}.{name}", as_text, value)

    def _find_secrets(self) -> Sequence[str]:
        """What must not be repeated, the longest first; also as JSON and URLs write it."""
        found = set()
        for name, value in self.headers.items():
            if name not in _PLAIN:
                found |= {value, value.partition(" ")[2].strip()}
        for phase in PHASES:
            found |= {*in_query(self._urls[phase]), *in_parameters(dict(self.phase(phase).parameters))}
        written = {form for one in found for form in (one, json.dumps(one)[1:-1], quote(one, safe=""))}
        return sorted((one for one in written if len(one) >= _LEAST_SECRET), key=len, reverse=True)


def check_remote(remote: RemoteSpec) -> None:
    """Raise `InvalidInput` for a definition that cannot be used, whatever the service does; asks nobody.

    `field` is the place in the vendor's `content` object, such as `$.request.requestBody`.
    """
    Definition(remote)


def _read_url(remote: RemoteSpec) -> httpx2.URL:
    from embedway.egress.wire import parse_url

    try:
        url = parse_url(used_text(remote.url))
    except Refused as error:
        raise InvalidInput(f"The URL {error}.") from error
    if not remote.private and _is_near(url.host):
        raise InvalidInput(
            f"The URL leads to {url.host[:200]}, which is not public: allow that with --allow-private-urls."
        )
    return url


def _is_near(host: str) -> bool:
    """Whether a host is known to be no public one without asking; the others are looked up with every connection."""
    if host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        return True
    try:
        return not is_public(host)
    except ValueError:
        return False


def _read_headers(given: Mapping[str, str]) -> dict[str, str]:
    """Headers as they are sent, names in lower case."""
    headers: dict[str, str] = {}
    for name, value in given.items():
        field = f"$.request.header.{name[:80]}"
        key, stripped = name.strip().lower(), used_text(value)
        if not _TOKEN.fullmatch(key) or key in headers:
            raise InvalidInput(f"'{name[:80]}' is no name of a header, or is given twice.", field)
        if key in _OURS:
            raise InvalidInput(f"The header {name[:80]} is not yours to set: leave it out.", field)
        if not _VALUE.fullmatch(stripped):
            raise InvalidInput(
                f"The value of the header {name[:80]} holds a line break or a character that headers cannot hold.",
                field,
            )
        if len(stripped) > MAX_HEADER_CHARACTERS:
            raise InvalidInput(
                f"The value of the header {name[:80]} has more than {MAX_HEADER_CHARACTERS:,} characters.", field
            )
        headers[key] = stripped
    return {"content-type": "application/json", "accept": "application/json"} | headers


def _without_beginning(text: str, secret: str) -> str:
    """The text without the beginning of the secret that it ends with."""
    least = secret[:_LEAST_SECRET]
    place = text.find(least, max(0, len(text) - min(len(secret), MAX_HEADER_CHARACTERS) + 1))
    while place >= 0:
        if secret.startswith(text[place:]):
            return text[:place]
        place = text.find(least, place + 1)
    return text


def _read_params(params: Mapping[str, object], field: str) -> str:
    """Parameters as a query string."""
    pairs = []
    for name, value in params.items():
        if not isinstance(value, str | int | float):
            raise InvalidInput(f"The URL parameter '{name[:80]}' must be a text, a number, or true or false.", field)
        pairs.append((name.strip(), _at(field, as_text, used(value))))
    return urlencode(pairs, quote_via=quote)


def used_text(value: str) -> str:
    return str(used(value))


def _at(field: str, work: Callable[..., T], given: object) -> T:
    """The work's result. An `InvalidInput` names the field."""
    try:
        return work(given)
    except InvalidInput as error:
        raise InvalidInput(error.message, field) from error
