"""The model registry over HTTP: six actions, in the vendor's words. Whole replies are in `golden/instances`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from scripts import reference_docs

from embedway.errors import EmbedwayError, Overloaded, RemoteFailed
from embedway.http.dialects.instances import Instances
from tests.backends.services import Misbehaving, Question, Reply, length_vectors, misbehaving
from tests.server import Server, serving

from .exchange import Answer, post, send
from .golden import faults
from .registry import ADMIN, INSTANCE, SECRET, SHOWN, call, create, definition, get

DONE = {"requestId": "<text>"}


def done(answer: Answer) -> None:
    """Check the reply of an action that gives nothing back: 200 and the request's id, never 204."""
    assert answer.status == 200, answer.body
    assert faults(DONE, answer.json()) == []
    assert answer.headers["x-acs-request-id"] == answer.json()["requestId"]


def refused(answer: Answer, status: int, code: str) -> str:
    """Check a refusal and return its message."""
    body = answer.json()
    assert (answer.status, list(body), body["code"]) == (status, ["requestId", "code", "message"], code), body
    assert answer.headers["x-acs-request-id"] == body["requestId"]
    return str(body["message"])


def test_from_creation_to_deletion(registry: Server, service: Misbehaving) -> None:
    """Create, get, list, modify, switch off and on, delete: each reply whole."""
    content = definition(service.url)
    done(call(registry, "POST", "?dryRun=false", {"name": "life", "content": content}))
    kept = {key: value for key, value in content.items() if key != "dimension"}
    kept["request"] = kept["request"] | {"header": {"Authorization": SHOWN, "Content-Type": "application/json"}}
    shown = {
        "name": "life",
        "type": "text_embedding",
        "url": service.url,
        "status": "ok",
        "dimension": 2,
        "content": {"modelName": "life"} | kept,
        "createTime": "<text>",
        "updateTime": "<text>",
    }
    got = call(registry, "GET", "/life")
    assert faults({"requestId": "<text>", "result": shown}, got.json()) == []
    at = time.strptime(got.json()["result"]["createTime"], "%Y-%m-%d %H:%M:%S")
    assert abs(time.mktime(at) - time.mktime(time.gmtime())) < 60
    listed = call(registry, "GET", "?name=life").json()
    assert faults({"requestId": "<text>", "totalCount": 1, "result": [shown]}, listed) == []
    done(call(registry, "PUT", "/life", {"status": "forbidden"}))
    assert get(registry, "life")["status"] == "forbidden"
    refusal = post(registry, "/v1/embeddings", {"model": "life", "input": "hi"}, key=ADMIN)
    assert (refusal.status, "disabled" in refusal.json()["error"]["message"]) == (403, True)
    done(call(registry, "PUT", "/life/", {"status": "ok", "content": {"method": "PUT"}}))
    assert faults(shown | {"content": shown["content"] | {"method": "PUT"}}, get(registry, "life")) == []  # type: ignore[operator]
    answer = post(registry, "/v1/embeddings", {"model": "life", "input": "four"}, key=ADMIN)
    assert answer.status == 200, answer.body
    assert service.asked[-1].method == "PUT"
    done(call(registry, "DELETE", "/life/"))
    refused(call(registry, "GET", "/life"), 404, "model.NotFound")
    assert post(registry, "/v1/embeddings", {"model": "life", "input": "hi"}, key=ADMIN).status == 404


def test_content_comes_back_as_it_was_sent(registry: Server, service: Misbehaving) -> None:
    """Key order, unknown keys, the spelling of numbers, line breaks at the ends of values: byte by byte."""
    parts = [
        '"zzz": [1.0, 1e3, 0.10, 123456789012345678901234567890, {"b": null, "a": true}]',
        f'"url": "{service.url}\\n"',
        '"dimension": 2',
        '"request": {"requestBody": "{\\"input\\":\\"%{input}\\"}\\n", "header": {"Token": "", "X-Extra": "ü \\n"}, '
        '"urlParams": {"search": {"n": 1.50, "s": "x\\n"}}}',
        '"response": {"embeddings": "$.result.embeddings[*].embedding\\n", "more": "kept"}',
        '"modelType": "text_embedding"',
        '"a/b": {"文": "字"}',
    ]
    body = f'{{"name": "verbatim", "content": {{{", ".join(parts)}}}}}'.encode()
    done(call(registry, "POST", body=body))
    expected = ", ".join(part for part in parts if "dimension" not in part).replace(", ", ",").replace('": ', '":')
    found = call(registry, "GET", "/verbatim").body.decode()
    assert f'"content":{{"modelName":"verbatim",{expected}}}' in found
    assert service.asked[-1].path in ("/embed", "/embed?n=1.5&s=x")


@pytest.mark.parametrize("name", ["a/b", "a/actions/debugged", "模型 1", "a%2Fb", "a?b#c", "a+b", "."])
def test_names_of_all_kinds(registry: Server, service: Misbehaving, name: str) -> None:
    """Escaped in the path they mean the same model, with and without a slash at the end."""
    create(registry, name, definition(service.url))
    path = "/" + quote(name, safe="") if name != "." else "/."
    for end in ("", "/"):
        assert call(registry, "GET", path + end).json()["result"]["name"] == name
    assert call(registry, "POST", f"{path}/actions/debug/", {"input": "hi"}).json()["result"]["found"] == [[2.0, 1.0]]
    done(call(registry, "DELETE", path))


def test_pages_and_filters(registry: Server, service: Misbehaving) -> None:
    """Ten to a page, the oldest first; the total is that of the filter."""
    for number in range(11):
        create(registry, f"page-{number}", definition(service.url), INSTANCE)
    listed = call(registry, "GET", "?type=text_embedding", instance=INSTANCE).json()
    assert (listed["totalCount"], len(listed["result"])) == (12, 10)
    assert listed["result"][0]["name"] == "test"
    listed = call(registry, "GET", "?pageNumber=2&pageSize=5", instance=INSTANCE).json()
    assert [one["name"] for one in listed["result"]] == [f"page-{number}" for number in range(4, 9)]
    assert call(registry, "GET", "?pageNumber=2", instance=INSTANCE).json()["result"][-1]["name"] == "page-10"
    for query in ("?type=image_embedding", "?name=page", "?pageNumber=3"):
        assert call(registry, "GET", query, instance=INSTANCE).json()["result"] == []
    assert (
        call(registry, "GET", "?name=page-3&type=text_embedding&pageSize=100", instance=INSTANCE).json()["totalCount"]
        == 1
    )
    for number in range(11):
        done(call(registry, "DELETE", f"/page-{number}", instance=INSTANCE))


@pytest.mark.parametrize(
    "query",
    [
        "pageNumber=0",
        "pageNumber=x",
        "pageSize=101",
        "pageSize=-1",
        "pageSize=1.5",
        "type=text",
        "pageNumber=1" + "0" * 30,
    ],
)
def test_what_cannot_be_listed(registry: Server, query: str) -> None:
    """The parameter is named."""
    assert query.partition("=")[0] in refused(call(registry, "GET", f"?{query}"), 400, "model.InvalidParameter")


@pytest.mark.parametrize("flag", ["true", "True", "TRUE"])
def test_dry_runs(registry: Server, service: Misbehaving, flag: str) -> None:
    """Nothing is stored, whatever case the flag is in; a word that is none is refused."""
    body = {"name": "dry", "content": definition(service.url)}
    done(call(registry, "POST", f"?dryRun={flag}", body))
    refused(call(registry, "GET", "/dry"), 404, "model.NotFound")
    wrong = {"name": "dry", "content": definition(service.url, dimension=3)}
    assert "2 numbers instead of 3" in refused(
        call(registry, "POST", f"?dryRun={flag}", wrong), 400, "model.ProbeFailed"
    )
    refused(call(registry, "POST", "?dryRun=perhaps", body), 400, "model.InvalidParameter")


@pytest.mark.parametrize(
    ("name", "content", "field"),
    [
        ("", {}, "name"),
        ("a\nb", {}, "name"),
        ("x" * 129, {}, "name"),
        ("x/actions/debug", {}, "name"),
        ("x", None, "content"),
        ("x", "text", "content"),
        ("x", {"modelType": "chat"}, "content.modelType"),
        ("x", {"dimension": 0}, "content.dimension"),
        ("x", {"url": "ftp://example.com/"}, "content.url"),
        ("x", {"method": "GET"}, "content.method"),
        ("x", {"request": {"requestBody": '{"a": %{input}'}}, "content.request.requestBody"),
        ("x", {"response": {"embeddings": "result["}}, "content.response.embeddings"),
        (
            "x",
            {"request": {"requestBody": '{"a": "%{input}"}', "header": {"Host": "x"}}},
            "content.request.header.Host",
        ),
        ("ops-text-embedding-002", {}, "content.dimension"),
    ],
)
def test_what_cannot_be_created(registry: Server, service: Misbehaving, name: str, content: Any, field: str) -> None:
    """400 with the field at fault, and nothing is asked of the service."""
    asked = len(service.asked)
    given = definition(service.url) | content if isinstance(content, dict) else content
    answer = call(registry, "POST", body={"name": name, "content": given})
    assert f"({field})" in refused(answer, 400, "model.InvalidParameter")
    assert len(service.asked) == asked


@pytest.mark.parametrize("body", [{"content": {}}, {"name": 5, "content": {}}, {"name": None}, []])
def test_bodies_that_are_none(registry: Server, body: Any) -> None:
    """A body of another shape is refused with its path."""
    refused(call(registry, "POST", body=body), 400, "model.InvalidParameter")


def test_a_failing_probe_is_a_status(registry: Server) -> None:
    """What does not answer as it should is registered all the same, with the reason; what is mended is `ok` again."""
    replies: list[Reply] = [Reply(status=401, body=b'{"message": "who are you, ' + SECRET.encode() + b'?"}')] * 2
    with misbehaving(lambda question: replies.pop() if replies else length_vectors(question)) as broken:
        create(registry, "broken", definition(broken.url))
        shown = get(registry, "broken")
        assert shown["status"] == "error"
        assert "401" in shown["statusReason"]
        assert SECRET not in json.dumps(shown)
        done(call(registry, "PUT", "/broken", {"content": {}}))
        shown = get(registry, "broken")
        assert (shown["status"], "statusReason" in shown) == ("ok", False)
        done(call(registry, "DELETE", "/broken"))


def test_debug(registry: Server, service: Misbehaving) -> None:
    """What was sent and came back, with the search's or the build's parameters, secrets masked."""
    create(registry, "debugged", definition(f"{service.url}?api_key={SECRET}"))
    for flag, input_type in (("true", "query"), ("True", "query"), ("false", "document"), ("", "document")):
        query = f"?isOnline={flag}" if flag else ""
        answer = call(registry, "POST", f"/debugged/actions/debug{query}", {"input": 'say "hi"'})
        result = answer.json()["result"]
        body = json.dumps({"input": ['say "hi"'], "input_type": input_type})
        expected = {
            "request": {
                "method": "POST",
                "url": f"{service.url}?api_key=OS-v0********6vvs",
                "headers": {"content-type": "application/json", "accept": "application/json", "authorization": SHOWN},
                "body": body.replace(": ", ":").replace(", ", ","),
            },
            "response": {"status": 200, "body": '{"result": {"embeddings": [{"index": 0, "embedding": [8.0, 1.0]}]}}'},
            "found": [[8.0, 1.0]],
            "latency": "<number>",
            "problem": None,
        }
        assert faults({"requestId": "<text>", "result": expected}, answer.json()) == [], result
        assert service.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    done(call(registry, "PUT", "/debugged", {"status": "forbidden"}))
    assert call(registry, "POST", "/debugged/actions/debug", {"input": "a"}).json()["result"]["problem"] is None
    done(call(registry, "DELETE", "/debugged"))
    for body in ({}, {"input": ""}, {"input": ["a"]}):
        refused(call(registry, "POST", "/test/actions/debug", body, INSTANCE), 400, "model.InvalidParameter")
    found = call(registry, "POST", "/test/actions/debug?isOnline=true", {"input": "a"}, INSTANCE).json()["result"]
    assert found["response"] == {"status": None, "body": ""}
    assert found["request"]["body"] == '{"input":["a"],"input_type":"document"}'
    assert found["problem"]


def test_debug_shows_no_secret_and_not_everything(registry: Server) -> None:
    """A service that repeats what it was sent does not make the registry tell it; what is very large is cut."""

    def behave(question: Question) -> Reply:
        text = f"you sent {question.headers['authorization']} and {question.path}"
        vector = [0.5] * 100_000
        return Reply(body=json.dumps({"said": text, "result": {"embeddings": [{"embedding": vector}]}}).encode())

    with misbehaving(behave) as loud:
        create(registry, "loud", definition(f"{loud.url}?key={SECRET}"))
        answer = call(registry, "POST", "/loud/actions/debug", {"input": "x" * 200_000})
        assert SECRET.encode() not in answer.body
        result = answer.json()["result"]
        assert len(result["request"]["body"]) == 65_536
        assert len(answer.body) < 4 * 65_536
        assert '"you sent *** and /embed?key=***"' in result["response"]["body"]
        said = definition(f"{loud.url}?key={SECRET}", response={"embeddings": "$.said"})
        done(call(registry, "PUT", "/loud", {"content": said}))
        answer = call(registry, "POST", "/loud/actions/debug", {"input": "x"})
        assert SECRET.encode() not in answer.body
        assert SECRET.encode() not in call(registry, "GET", "/loud").body
        done(call(registry, "DELETE", "/loud"))


def test_a_secret_of_digits_spoils_no_numbers(registry: Server) -> None:
    """Numbers that look like it are shown as they came; texts that repeat it are not."""

    def behave(question: Question) -> Reply:
        found = [{"embedding": [12345678, 1.0], "said": question.headers["token"]}]
        return Reply(body=json.dumps({"result": {"embeddings": found}}).encode())

    with misbehaving(behave) as echo:
        request = {"requestBody": '{"a": "%{input}"}', "header": {"Token": "12345678"}}
        response = {"embeddings": "$.result.embeddings[*]"}
        create(registry, "digits", definition(echo.url, request=request, response=response))
        (found,) = call(registry, "POST", "/digits/actions/debug", {"input": "x"}).json()["result"]["found"]
        assert (found["embedding"], "1234" in found["said"]) == ([12345678, 1.0], False)
        done(call(registry, "DELETE", "/digits"))


def test_read_modify_write(registry: Server, service: Misbehaving) -> None:
    """What Get gave can be put back: the secret that it masked stays, while scheme, host and port do."""
    create(registry, "again", definition(service.url))
    content = get(registry, "again")["content"]
    done(call(registry, "PUT", "/again", {"content": content | {"url": f"{service.url}?n=1"}}))
    assert service.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert get(registry, "again")["dimension"] == 2
    with misbehaving() as other:
        for sent in ({"url": other.url}, content | {"url": other.url}):
            refused(call(registry, "PUT", "/again", {"content": sent}), 400, "model.SecretRequired")
        assert other.asked == []
        content["request"]["header"]["Authorization"] = "Bearer anew"
        done(call(registry, "PUT", "/again", {"content": content | {"url": other.url}}))
        assert other.asked[-1].headers["authorization"] == "Bearer anew"
        done(call(registry, "DELETE", "/again"))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that allows public addresses only."""
    config = f'admin_key = "{ADMIN}"\n[[model]]\nname = "local"\nsource = "fake:8"\n'
    with serving(tmp_path_factory.mktemp("strict"), config=config) as server:
        yield server


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "http://[fd00::1]/",
    ],
)
def test_private_addresses_are_refused(strict: Server, service: Misbehaving, url: str) -> None:
    """However they are written: nothing is sent there, and nothing is stored."""
    asked = len(service.asked)
    answer = call(strict, "POST", body={"name": "inside", "content": definition(url.format(port=service.port))})
    assert "(content.url)" in refused(answer, 400, "model.InvalidParameter")
    refused(call(strict, "GET", "/inside"), 404, "model.NotFound")
    assert len(service.asked) == asked


def test_the_store_is_made_when_it_is_needed(tmp_path: Path) -> None:
    """A server that only embeds makes no file; the first registry call does; one made beside it is found."""
    config = f'admin_key = "{ADMIN}"\nallow_private_urls = true\n[[model]]\nname = "local"\nsource = "fake:8"\n'
    with serving(tmp_path, config=config) as server:
        assert post(server, "/v1/embeddings", {"model": "local", "input": "hi"}, key=ADMIN).status == 200
        assert send(server, "GET", "/openapi/ha3/instances/default/models").status == 401
        time.sleep(1)
        assert not (tmp_path / "embedway").exists()
        assert call(server, "GET").json()["totalCount"] == 0
        assert (tmp_path / "embedway" / "embedway.db").exists()


@pytest.mark.parametrize("kind", list(reference_docs._wire_errors()))
def test_every_error_has_its_words(kind: type[EmbedwayError]) -> None:
    """None is 4xx with the code of a fault of the server; too much at once says when to come back, twice."""
    worded = Instances().word(reference_docs._sample(kind), reference_docs._exchange())
    body = json.loads(worded.body)
    assert list(body) == ["requestId", "code", "message"]
    assert (worded.status >= 500) == (kind.status >= 500 and kind is not RemoteFailed)
    assert worded.status >= 500 or body["code"] != "InternalServerError"
    if kind is Overloaded:
        assert (worded.headers["retry-after"], worded.headers["x-acs-retry-after"]) == ("1", "1")
