"""Settings: four sources, one struct, sentences that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from embedway.configuration import check_serving, load_settings, warn_unknown
from embedway.errors import SettingsError
from embedway.models.standins import with_stand_ins
from embedway.settings import BUNDLED, Settings, hash_secret


def write(folder: Path, text: str) -> Path:
    path = folder / "embedway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    """Each source wins over the one before."""
    config = write(tmp_path, "port = 1\nthreads = 1\nmax_batch_tokens = 1\n")
    settings = load_settings({"port": "3"}, {"EMBEDWAY_PORT": "2", "EMBEDWAY_THREADS": "2", "UNRELATED": "x"}, config)
    assert (settings.port, settings.threads, settings.max_batch_tokens, settings.max_batch_items) == (3, 2, 1, 128)


def test_the_issues_example_loads(tmp_path: Path) -> None:
    """Models with aliases, deployments with tokens; the token is kept as its digest."""
    config = write(
        tmp_path,
        """
        [[model]]
        name = "minilm"
        source = "all-MiniLM-L6-v2"
        aliases = ["text-embedding-3-small"]
        dtype = "auto"
        [[deployment]]
        id = "dep-1"
        model = "minilm"
        task = "embedding"
        workspace = "default"
        token = "secret"
        """,
    )
    settings = load_settings(config=config)
    assert settings.model[0].aliases == ("text-embedding-3-small",)
    assert settings.deployment[0].token_sha256 == hash_secret("secret")
    assert "secret" not in repr(settings)


def test_keys_are_kept_as_digests_only() -> None:
    """From flag and variable alike; several are separated by commas."""
    settings = load_settings({"api_key": ["one"]}, {})
    assert settings.api_key == ()
    assert settings.api_key_sha256 == (hash_secret("one"),)
    both = load_settings({}, {"EMBEDWAY_API_KEY": "one, two"})
    assert len(both.api_key_sha256) == 2
    assert not both.keyless


def test_without_a_model_the_bundled_one_is_served() -> None:
    """Under its own name."""
    assert [(spec.name, spec.source) for spec in load_settings().model] == [(BUNDLED, BUNDLED)]


def test_models_can_be_named_in_one_word() -> None:
    """SOURCE, or NAME=SOURCE; general settings fill what a model leaves open."""
    models = load_settings({"model": ["a=/some/folder", "org/b"], "dtype": "fp32", "truncation": "error"}).model
    assert [(spec.name, spec.source, spec.dtype, spec.truncation) for spec in models] == [
        ("a", "/some/folder", "fp32", "error"),
        ("org/b", "org/b", "fp32", "error"),
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.com"])
def test_without_a_key_only_loopback_is_served(host: str) -> None:
    """Unless the user says --no-auth, or gives a key."""
    with pytest.raises(SettingsError, match="--no-auth"):
        check_serving(load_settings({"host": host}))
    check_serving(load_settings({"host": host, "no_auth": True}))
    check_serving(load_settings({"host": host, "api_key": ["k"]}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    """A newcomer's first minute."""
    assert load_settings({"host": host}).loopback


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 99999", "port"),
        ("prot = 1", "prot"),
        ("[[model]]\nname='a'\nsource='a'\nalias=['b']", "alias"),
        ("[[model]]\nname='a'", "source"),
        ("[[model]]\nname='a'\nsource='a'\n[[model]]\nname='a'\nsource='b'", "'a'"),
        ("[[model]]\nname='a'\nsource='a'\naliases=['a']", "'a'"),
        ("[[deployment]]\nid='d'\nmodel='nobody'", "nobody"),
        ("[[deployment]]\nid='a/b'\nmodel='all-MiniLM-L6-v2'", "a/b"),
        ("[[deployment]]\nid='d'\nmodel='all-MiniLM-L6-v2'\ntask='classify'", "classify"),
        ("tls_cert = 'x'", "--tls-key"),
        ("root_path = 'x/'", "--root-path"),
        ("api_key_sha256 = ['zz']", "api_key_sha256"),
        ("dtype = 'fp64'", "dtype"),
        ("port = ", "TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    """One sentence, with the key or value at fault."""
    with pytest.raises(SettingsError, match=named):
        check_serving(load_settings(config=write(tmp_path, text)))


def test_a_variable_that_means_nothing_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A slip in a name would else go unnoticed."""
    warn_unknown({"EMBEDWAY_PROT": "1", "EMBEDWAY_PORT": "1", "EMBEDWAY_CONFIG": "x", "PATH": "x"})
    assert [record.getMessage() for record in caplog.records] == [
        "The variable EMBEDWAY_PROT means nothing to this version."
    ]


def test_the_source_of_a_wrong_value_is_named(tmp_path: Path) -> None:
    """The variable, the flag, or the missing file."""
    with pytest.raises(SettingsError, match="EMBEDWAY_PORT"):
        load_settings({}, {"EMBEDWAY_PORT": "many"})
    with pytest.raises(SettingsError, match="--port"):
        load_settings({"port": "many"})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(config=tmp_path / "nowhere.toml")


def test_every_setting_says_what_it_means() -> None:
    """Its description is the flag's help and the documentation."""
    for name, annotation in Settings.__annotations__.items():
        assert "description=" in annotation, name


def test_a_model_keeps_its_own_keep_alive_or_takes_the_servers(tmp_path: Path) -> None:
    """0 is a keep-alive of its own; without any a model stays for ever."""
    models = '[[model]]\nname = "a"\nsource = "fake"\n[[model]]\nname = "b"\nsource = "fake"\nkeep_alive_s = 0\n'
    settings = load_settings({"keep_alive_s": "90"}, config=write(tmp_path, models))
    assert [spec.keep_alive_s for spec in settings.model] == [90.0, 0.0]
    assert load_settings().model[0].keep_alive_s is None
    with pytest.raises(SettingsError, match="keep_alive_s"):
        load_settings({"keep_alive_s": "-1"})


def test_a_memory_budget_is_bytes() -> None:
    """Without one there is no bound."""
    assert load_settings(environment={"EMBEDWAY_MEMORY_BUDGET": "8GiB"}).memory_bytes == 8 * 2**30
    assert load_settings().memory_bytes is None


def test_a_reduced_model_stands_in_for_nobody() -> None:
    """With `stand_in` the bundled model is added as it is: its reduced vectors are shorter still."""
    reduced = {"name": "small", "source": BUNDLED, "reduction": "folder"}
    settings = load_settings({"model": [reduced], "stand_in": True})
    assert [spec.name for spec in settings.model] == ["small", BUNDLED]
    small, plain = with_stand_ins(settings.model, BUNDLED)
    assert not small.aliases
    assert "ops-text-embedding-002" in plain.aliases


@pytest.mark.parametrize("names", [["twice", "twice"], [""], ["m"]], ids=["given twice", "empty", "a model has it"])
def test_a_name_of_a_reduction_is_its_own(tmp_path: Path, names: list[str]) -> None:
    """Callers would else not know which is meant."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[[model]]\nname = "m"\nsource = "fake"\n'
        + "".join(f'[[reduction]]\nname = "{name}"\npath = "folder"\n' for name in names)
    )
    with pytest.raises(SettingsError, match="has an empty name, or one that another reduction or a model has"):
        load_settings(config=config)
