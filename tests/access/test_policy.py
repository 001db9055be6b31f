"""What a permission covers."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedway.access.policy import Resources, actions_on, allows, read_permission
from embedway.errors import InvalidInput
from embedway.settings import Permission

INSTANCE = Resources("local", "0").instance("ha-cn-x")
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*?"), max_size=20)


def may(action: str, resource: str = "*", does: str = "searchengine:GetModel", on: str = INSTANCE) -> bool:
    return allows([Permission((action,), (resource,))], does, on)


@pytest.mark.parametrize(
    "action",
    [
        "*",
        "searchengine:*",
        "searchengine:GetModel",
        "SearchEngine:getmodel",
        "searchengine:Get*",
        "*:Get?odel",
        "*Model",
    ],
)
def test_actions_that_cover(action: str) -> None:
    """Patterns, in any case of the letters."""
    assert may(action)


def test_the_actions_on_a_resource() -> None:
    """Each pattern of the permissions for it once; no pattern where one is for everything."""
    other = Resources("local", "0").instance("other")
    some = [Permission(("a:x", "a:y*")), Permission(("a:x", "b:*"), (INSTANCE,)), Permission(("*",), (other,))]
    assert actions_on(some, INSTANCE) == ("a:x", "a:y*", "b:*")
    assert actions_on(some, other) == ()


@pytest.mark.parametrize(
    "action", ["", "searchengine", "searchengine:GetModels", "searchengine:Get", "searchplat:*", "?"]
)
def test_actions_that_do_not(action: str) -> None:
    """A pattern is of the whole action."""
    assert not may(action)


@pytest.mark.parametrize(
    "resource", ["*", INSTANCE, "acs:searchengine:*:*:instance/ha-cn-x", "acs:*:instance/*", "*/ha-cn-?"]
)
def test_resources_that_cover(resource: str) -> None:
    """As the document's authorization table names them."""
    assert may("*", resource)


@pytest.mark.parametrize(
    "resource", ["", INSTANCE.upper(), "acs:searchengine:cn:*:instance/*", "*/ha-cn-y", "*/ha-cn-[xy]", INSTANCE + "/"]
)
def test_resources_that_do_not(resource: str) -> None:
    """Compared letter by letter; a bracket is a bracket."""
    assert not may("*", resource)


def test_one_permission_must_cover_both() -> None:
    """An action of the one and a resource of the other are not enough; none at all allow nothing."""
    two = [Permission(("searchengine:GetModel",), ("a",)), Permission(("searchengine:ListModels",), (INSTANCE,))]
    assert not allows(two, "searchengine:GetModel", INSTANCE)
    assert allows(two, "searchengine:ListModels", INSTANCE)
    assert not allows([], "searchengine:GetModel", INSTANCE)


@given(WORDS, WORDS)
def test_without_wildcards_a_pattern_covers_itself_alone(pattern: str, text: str) -> None:
    """Whatever characters they hold."""
    assert may("*", pattern, on=text) == (pattern == text)


@given(WORDS, WORDS, WORDS)
def test_a_star_stands_for_any_part(head: str, middle: str, tail: str) -> None:
    """Nothing included."""
    assert may("*", f"{head}*{tail}", on=head + middle + tail)


def test_a_hostile_name_takes_no_time() -> None:
    """A caller chooses the name of the workspace; the pattern must not make it expensive."""
    started = time.monotonic()
    assert not may("*", "*a*a*a*a*a*a*a*b", on="a" * 50_000)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", ["searchengine:*", "*", "searchplat:Get?*@acs:searchplat:*:*:workspace/my-ws", "*@*"])
def test_permissions_as_the_command_takes_them(text: str) -> None:
    """An action, and a resource behind an at sign."""
    action, _, resource = text.partition("@")
    assert read_permission(text) == Permission((action,), (resource or "*",))


@pytest.mark.parametrize("text", ["", "GetModel", "a:b@", "a:b@instance/x", "a b:c", "a:b@acs:x", "@*"])
def test_permissions_that_are_none(text: str) -> None:
    """What would cover nothing, for its form, is refused when it is given."""
    with pytest.raises(InvalidInput):
        read_permission(text)
