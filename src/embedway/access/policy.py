"""What an access key may do: actions on resources, as Alibaba Cloud's RAM policies have them.

An action is `searchengine:GetModel`; a resource is `acs:searchengine:{region}:{account}:instance/{id}`. In a permission
`*` stands for any text and `?` for any one character. Actions are compared without regard to case, resources with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from embedway.errors import InvalidInput
from embedway.settings import Permission

_ACTION = re.compile(r"\*|[A-Za-z0-9*?._-]+:[A-Za-z0-9*?._-]+")
_RESOURCE = re.compile(r"\*|acs:[^:\s]*:[^:\s]*:[^:\s]*:\S+")


@dataclass(frozen=True, slots=True)
class Resources:
    """The names of what can be acted on, in this server's region and account."""

    region: str
    account: str

    def instance(self, name: str) -> str:
        return f"acs:searchengine:{self.region}:{self.account}:instance/{name}"

    def workspace(self, name: str) -> str:
        return f"acs:searchplat:{self.region}:{self.account}:workspace/{name}"


def allows(permissions: Sequence[Permission], action: str, resource: str) -> bool:
    """Whether one of the permissions covers this action on this resource; none covers what is not named."""
    return any(
        any(_covers(pattern.lower(), action.lower()) for pattern in one.action)
        and any(_covers(pattern, resource) for pattern in one.resource)
        for one in permissions
    )


def actions_on(permissions: Sequence[Permission], resource: str) -> tuple[str, ...]:
    """The patterns of actions that a permission covers on this resource; none where one covers all actions."""
    able = [one for one in permissions if any(_covers(pattern, resource) for pattern in one.resource)]
    patterns = tuple(dict.fromkeys(pattern for one in able for pattern in one.action))
    return () if "*" in patterns else patterns


def read_permission(given: str) -> Permission:
    """`ACTION@RESOURCE`, or `ACTION` for all resources. Raises `InvalidInput`."""
    action, separator, resource = given.partition("@")
    if not _ACTION.fullmatch(action) or (separator and not _RESOURCE.fullmatch(resource)):
        raise InvalidInput(
            f"The permission '{given[:200]}' must read ACTION@RESOURCE, such as "
            "searchengine:GetModel@acs:searchengine:*:*:instance/ha-cn-x, or searchengine:* for all resources."
        )
    return Permission((action,), (resource,) if separator else ("*",))


def check_action(given: str) -> None:
    """Raise `InvalidInput` for what is no pattern of actions."""
    if not _ACTION.fullmatch(given):
        raise InvalidInput(f"The action '{given[:200]}' must read like searchplat:GetText* or *.")


def _covers(pattern: str, text: str) -> bool:
    return fnmatchcase(text, pattern.replace("[", "[[]"))  # a bracket means itself here
