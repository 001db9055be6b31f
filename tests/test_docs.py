"""Documentation is tested like code: reference pages are up to date, links lead somewhere, examples are accepted."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest
from scripts import reference_docs

from embedway import __version__, errors
from embedway.cli.main import cli
from embedway.cli.options import flag_name
from embedway.cli.serve import build_engine
from embedway.configuration import FILE_ONLY, MODEL_KEYS, NO_FLAGS, load_settings
from embedway.errors import EmbedwayError, SetupError
from embedway.http.operations.parts import make_parts
from embedway.http.routes import operations
from embedway.observe import Metrics
from embedway.settings import Deployment, Settings

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = {"build", "dist", "node_modules", "results"}
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
EXAMPLE = re.compile(r"^ {4,}((?:embedway|make)\b.*)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every Markdown file of the repository; nothing in a hidden folder, such as a virtual environment."""
    found = (path.relative_to(ROOT) for path in _walk(ROOT))
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.name.startswith(".") and path.name not in NOT_OURS:
            yield from _walk(path)
        elif path.suffix == ".md":
            yield path


PAGES = pages()
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=str)


def read(page: Path) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def reference(name: str) -> str:
    return read(Path("docs/reference") / name)


def prose(text: str) -> str:
    """The text without its code: fenced blocks and code spans are blanked."""
    text = re.sub(r"^( *)(```+|~~~+).*?^ *\2 *$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def links(text: str) -> list[str]:
    """The relative targets of a page's links and images, footnote-style definitions included."""
    text = prose(text)
    found = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", text)
    found += re.findall(r"^\[[^\]]+\]:\s+(\S+)", text, re.MULTILINE)
    return [target for target in found if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings as GitHub makes them, and explicit ones."""
    found: dict[str, int] = {}
    bare = re.sub(r"^( *)(```+).*?^ *\2 *$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)?$", bare, re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = found.get(slug, 0)
        found[slug] = number + 1
        if number:
            found[f"{slug}-{number}"] = 1
    return {*found, *re.findall(r"<a (?:id|name)=\"([^\"]+)\"", bare)}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language, without the indentation that a list gives them."""
    found = re.findall(rf"^ *```{language} *\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]


@pytest.mark.parametrize("name", reference_docs.PAGES)
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    """Each page of docs/reference is up to date; if not, run `python scripts/reference_docs.py`."""
    assert reference(name) == reference_docs.PAGES[name]()


def test_nothing_but_generated_pages_lies_in_the_reference() -> None:
    """docs/reference holds the generated pages, and no page that nobody keeps up to date."""
    assert {path.name for path in (ROOT / "docs" / "reference").iterdir()} == set(reference_docs.PAGES)


def test_every_setting_is_documented() -> None:
    """Each field with its flag and variable, each key of [[model]] and [[deployment]], and `token`."""
    text = reference("settings.md")
    general, _, tables = text.partition("\n## [[model]]")
    for name in Settings.__struct_fields__:
        assert f"| `{name}` |" in general or f"| `[[{name}]]` |" in general
        if name not in NO_FLAGS:
            assert re.search(rf"\| `{flag_name(name)}[ `]", general)
        if name not in FILE_ONLY:
            assert f"`EMBEDWAY_{name.upper()}`" in general
    models, _, deployments = tables.partition("\n## [[deployment]]")
    for name in MODEL_KEYS:
        assert f"\n| `{name}` |" in models
    for name in (*Deployment.__struct_fields__, "token"):
        assert f"\n| `{name}` |" in deployments


def test_every_route_is_documented() -> None:
    """Each operation has a section, with each of its paths and each field of its body."""
    text = reference("routes.md")
    settings = load_settings()
    for operation in operations(make_parts(build_engine(settings, Metrics()), settings)):
        section = text.partition(f"\n### {operation.name}\n")[2].partition("\n### ")[0]
        for path in operation.paths:
            assert f"\n{operation.method} {path.replace(':path}', '}')}\n" in section
        for field in msgspec.structs.fields(operation.body_type) if operation.body_type else ():
            assert f"\n| `{field.encode_name}` |" in section
    for path in ("/health", "/ready", "/metrics", "/docs", "/openapi.json"):
        assert f"\n| `GET {path}` |" in text


def test_every_header_is_documented() -> None:
    """Each `x-` header that the source names is in the page of the routes."""
    sources = (ROOT / "src" / "embedway").rglob("*.py")
    named = {name for path in sources for name in re.findall(r'"(x-[a-z-]+)"', path.read_text(encoding="utf-8"))}
    assert "x-request-id" in named
    for name in named:
        assert f"| `{name}` |" in reference("routes.md")


def test_every_metric_is_documented() -> None:
    """Each metric has its row with type and help; a counter under the name that it is scraped by."""
    text = reference("metrics.md")
    families = [one for one in Metrics().registry.collect() if one.name.startswith("embedway_")]
    assert len(families) > 10
    for family in families:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert re.search(rf"\n\| `{name}` \| {family.type} \| .* \| {re.escape(family.documentation)} \|\n", text)


def test_every_error_is_documented() -> None:
    """Each error that can reach a caller has its row."""
    text = reference("errors.md")
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, EmbedwayError)]
    for kind in kinds:
        assert (f"\n| `{kind.code}` |" in text) != issubclass(kind, SetupError)


def test_every_command_and_flag_is_documented() -> None:
    """Each command has a section, and each flag is in it, or in the settings where a command takes all of them."""
    text = reference("command-line.md")
    sections = dict(re.findall(r"^## embedway ([\w ]+)\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL))
    known = dict(commands(cli))
    assert set(sections) == set(known)
    for name, command in known.items():
        for flag in flags(command):
            shown = sections[name] + (reference("settings.md") if "takes all [settings]" in sections[name] else "")
            assert re.search(rf"`{flag}[ `]", shown)


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, and those of a group behind the group's name."""
    for name, command in group.commands.items():
        yield prefix + name, command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def flags(command: click.Command) -> set[str]:
    options = [one for one in command.params if isinstance(one, click.Option)]
    return {flag for one in options for flag in (*one.opts, *one.secondary_opts)}


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file or folder of the repository, and an anchor that a heading has."""
    for target in links(read(page)):
        path, _, anchor = target.partition("#")
        found = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert found.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert found.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), f"{target} has no such heading"


@EVERY_PAGE
def test_configurations_in_the_documentation_load(page: Path, tmp_path: Path) -> None:
    """Each ```toml block is a configuration that the server takes as it stands."""
    for number, block in enumerate(blocks(read(page), "toml")):
        config = tmp_path / f"{number}.toml"
        config.write_text(block, encoding="utf-8")
        assert load_settings(config=config).model


@EVERY_PAGE
def test_python_in_the_documentation_is_python(page: Path) -> None:
    """Each ```python block parses."""
    for block in blocks(read(page), "python"):
        ast.parse(block)


@EVERY_PAGE
def test_shell_in_the_documentation_is_shell(page: Path) -> None:
    """Each indented block that begins with a command, and each ```sh block, parses."""
    indented = re.findall(r"(?<=\n\n)(?: {4}.*\n)(?: {4}.*\n|\n(?= {4}))*", prose(read(page)))
    found = [textwrap.dedent(block) for block in indented]
    shell = [block for block in found if re.match(r"(embedway|make|pip|curl|printf|\.venv/\S+|[A-Z_]+=)", block)]
    for block in shell + blocks(read(page), "sh"):
        checked = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        assert not checked.stderr, block


@EVERY_PAGE
def test_commands_in_the_documentation_exist(page: Path) -> None:
    """Each example names a command of `embedway`, flags that it has, and targets of the Makefile."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in EXAMPLE.findall(read(page)):
        program, *words = shlex.split(line, comments=True)
        if program == "make":
            assert words
            assert words[0] in targets, line
        else:
            known = dict(commands(cli))
            command = known.get(" ".join(words[:2])) or known[words[0]]
            given = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert given <= flags(command) | {"--help"}, line


@EVERY_PAGE
def test_names_in_the_documentation_exist(page: Path) -> None:
    """Variables `EMBEDWAY_X` and metrics `embedway_x` that a page mentions are real."""
    text = read(page)
    variables = {f"EMBEDWAY_{name.upper()}" for name in Settings.__struct_fields__} | {"EMBEDWAY_CONFIG"}
    assert set(re.findall(r"\bEMBEDWAY_[A-Z0-9_]*[A-Z0-9]\b", text)) <= variables
    metrics = reference("metrics.md")
    for name in re.findall(r"(?<![\w./])embedway_[a-z_]*[a-z]\b", text):
        assert name in metrics


def test_every_page_can_be_reached() -> None:
    """From the README every page of docs/ is reached by links, the decisions too."""
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            targets = (target.partition("#")[0] for target in links(page.read_text(encoding="utf-8")))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert {ROOT / page for page in PAGES if page.parts[0] == "docs"} <= reached


def test_the_changelog_has_this_version() -> None:
    """The newest section is that of the version in the source."""
    assert re.findall(r"^## (\S+)", read(Path("CHANGELOG.md")), re.MULTILINE)[0] == __version__


def test_the_test_command_of_the_readme_is_the_one_that_ci_runs() -> None:
    """Whoever follows the README runs what is run before a change lands."""
    assert "\n    make test " in read(Path("README.md"))
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_why_what_and_what_follows(path: Path) -> None:
    """Each record is NNN-title.md with the headings Context, Decision and Consequences, in this order."""
    assert re.fullmatch(r"\d{3}-[a-z0-9-]+\.md", path.name)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:3]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_decisions_are_numbered_without_gaps() -> None:
    """001, 002 and so on: a record is replaced by a later one, never removed."""
    assert [int(path.name[:3]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_links_and_anchors_are_read_as_github_reads_them() -> None:
    """Code is no link and no heading; a heading given twice gets a number."""
    text = "# A `b`: c\n\n[x](y.md#z) `[no](no.md)` ![i](<i.png>) [w](https://example.org)\n"
    text += "\n```\n[no](no.md)\n# no\n```\n# A\n# A\n"
    assert links(text) == ["y.md#z", "i.png"]
    assert anchors(text) == {"a-b-c", "a", "a-1"}
