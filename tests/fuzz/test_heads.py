"""Any header and any path: never a 5xx, and every refusal in the words of its dialect."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from .test_bodies import bounded
from .values import ANY_TEXT, GOOD
from .wire import OWN_FORMS, PATHS, VENDORS, Wire, check, check_ranking, escape

VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
FRAMING = {"host", "content-length", "transfer-encoding", "connection", "upgrade"}
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_!#$%&'*+.^`|~", min_size=1, max_size=20)
KNOWN = st.sampled_from(
    [
        *("authorization", "token", "origin", "accept", "accept-encoding", "content-type", "content-encoding"),
        *("x-request-id", "x-acs-request-id", "x-forwarded-for", "x-forwarded-proto", "forwarded", "cookie", "expect"),
        *("range", "if-none-match", "te", "user-agent", "x-dashscope-async", "access-control-request-method"),
    ]
)
LIKELY = st.sampled_from(
    [
        *("application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data", "+json", ";;;"),
        *("Bearer", "Bearer x", "bearer\ta", "Basic Og==", "gzip", "identity", "", " ", ",", "null", "100-continue"),
        *("http://127.0.0.1", "http://[::1", "http://[::1]:99999", "//", "http://localhost:x", "a-token", "*"),
    ]
)
HEADERS = st.dictionaries(
    (KNOWN | NAMES).filter(lambda name: name not in FRAMING and name != "x-embedway-timeout-ms"),
    LIKELY | VALUES,
    max_size=5,
)
HOSTS = LIKELY | VALUES | st.sampled_from(["localhost", "127.0.0.1:1", "[::1]:8000", "[::ffff:127.0.0.1]", "[v1.x]"])


@bounded(max_examples=500)
@given(path=st.sampled_from(PATHS), headers=HEADERS)
def test_any_headers(wire: Wire, path: str, headers: dict[str, str]) -> None:
    """Headers of any name and value beside a good body; a request id that is no such thing is replaced."""
    answer = wire.send(path, GOOD, headers)
    check(path, answer)
    returned = answer.headers["x-request-id"]
    assert returned
    assert returned.isascii()
    assert " " not in returned


@bounded(max_examples=200)
@given(path=st.sampled_from(PATHS), host=HOSTS)
def test_any_host(wire: Wire, path: str, host: str) -> None:
    """A Host of any kind is this machine's, or refused with 403."""
    assert check(path, wire.send(path, GOOD, {"Host": host, "Token": "a-token"})) in (200, 400, 403)


@bounded(max_examples=200)
@given(path=st.sampled_from(PATHS), limit=st.integers(0, 10**12).map(str) | VALUES)
def test_any_time_limit(wire: Wire, path: str, limit: str) -> None:
    """A caller's time limit of any kind is kept or passed over: the answer is there, or 504 in the dialect's words."""
    answer = wire.send(path, GOOD, {"x-embedway-timeout-ms": limit, "Token": "a-token"})
    if answer.status == 504:
        assert limit.isdecimal()
        assert int(limit) < 1000
    else:
        assert check(path, answer) == 200


PREFIXES = ["/", "/v1/", "/v1/models/", "/models/", "/v1/embeddings/", "/compatible-mode/", "/compatible-mode/v1/"]
PREFIXES += ["/v3/openapi/", "/v3/openapi/deployments/", "/v3/openapi/workspaces/", "/docs/", "/docs/assets/"]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PROPFIND"]
SEGMENTS = st.sampled_from(
    ["..", ".", "", "%2e%2e", "%2F", "%00", "%ff", "%", "%zz", "text-embedding", "predict", "fake"]
)


@bounded(max_examples=500)
@given(
    method=st.sampled_from(METHODS),
    prefix=st.sampled_from(PREFIXES),
    segments=st.lists(SEGMENTS | ANY_TEXT.map(escape), max_size=4),
    query=st.sampled_from(["", "?", "?a=b", "?%ff=%00"]),
)
def test_any_path(wire: Wire, method: str, prefix: str, segments: list[str], query: str) -> None:
    """A path of any kind below every prefix is answered, or refused in the words of whoever owns the prefix."""
    path = prefix + "/".join(segments)
    answer = wire.send(path + query, GOOD, {}, method)
    if method == "HEAD":
        assert answer.status < 500
        assert answer.body == b""
    elif answer.status == 200:
        assert answer.body
    elif f"{path}/".startswith(tuple(OWN_FORMS)):
        check_ranking(path, answer)
    else:
        check(path if path.startswith(VENDORS) else "/", answer)
