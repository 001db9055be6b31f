"""Who asks."""

import pytest

from embedway.access.keys import ANONYMOUS, Keys, check_token
from embedway.errors import Unauthenticated
from embedway.settings import hash_secret

KEYS = Keys([hash_secret("OS-one"), hash_secret("OS-two")])


@pytest.mark.parametrize("header", ["Bearer OS-one", "bearer OS-two", "BEARER  OS-one", " Bearer OS-one "])
def test_a_known_key_names_its_caller(header: str) -> None:
    """The scheme in any case; two keys are two flows."""
    assert KEYS.identify(header) != ANONYMOUS
    assert KEYS.identify("Bearer OS-one") != KEYS.identify("Bearer OS-two")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic OS-one", "OS-one", "Bearer OS-onee", "Bearer os-one"]
)
def test_anything_else_is_refused(header: str | None) -> None:
    """And the key is not in the message."""
    with pytest.raises(Unauthenticated) as refused:
        KEYS.identify(header)
    assert "os-one" not in refused.value.message.lower()


def test_without_keys_everyone_is_anonymous() -> None:
    """Whatever they send: the documents' examples send a placeholder."""
    assert Keys([]).identify("Bearer <your-api-key>") is ANONYMOUS


def test_a_deployments_token_must_be_its_own() -> None:
    """A deployment without one asks for none."""
    check_token("t", hash_secret("t"))
    check_token(None, None)
    for wrong in (None, "", "T"):
        with pytest.raises(Unauthenticated):
            check_token(wrong, hash_secret("t"))
