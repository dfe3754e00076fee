"""The docs are true: whatever there is stands on its page, links lead somewhere, examples run, sessions are real."""

import argparse
import doctest
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from headway import cli, config, errors, steps
from headway.core.grammar import File, Step
from sessions import BLOCK, commands, play, run, sections

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "headway"
PAGES = sorted([*DOCS.rglob("*.md"), *SOURCE.rglob("*.md"), *(ROOT / "changes").glob("*.md"), ROOT / "README.md"])
SHOWN = sorted(name for name, (group, _) in cli.commands().items() if group in cli.GROUPS)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# --- errors -----------------------------------------------------------------------------------------------------


def tree(kind: type[errors.HeadwayError] = errors.HeadwayError) -> Iterator[type[errors.HeadwayError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


ERRORS = {kind.code: kind for kind in tree()}


def entries() -> dict[str, tuple[str, str]]:
    """Of each code on the page: the head that it stands under, and its own text."""
    found: dict[str, tuple[str, str]] = {}
    for head, text in sections(page("errors.md")):
        below = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
        found |= {code: (head, said) for code, said in zip(below[1::2], below[2::2], strict=True)} or {
            head: (head, text)
        }
    return found


def test_every_code_is_given_once() -> None:
    assert len(ERRORS) == len(list(tree()))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in ERRORS)


def test_the_page_of_errors_has_every_code_and_no_other() -> None:
    assert set(entries()) == set(ERRORS)


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_is_explained_with_its_exit_code(code: str) -> None:
    head, text = entries()[code]
    kind = ERRORS[code]
    is_parent = bool(kind.__subclasses__()) and "The parent of the errors below" in text
    assert is_parent or code == "headway" or text.lstrip().startswith(f"`{kind.__name__}`")
    assert f"exit code {kind.exit_code}" in text.lower() + head.lower()
    assert len(text.split()) > 10


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^    (?:([│├└─ ]+) )?(\w+)(?: +\((\d)\))?", errors.__doc__ or "", flags=re.MULTILINE)
    parents: list[str] = []
    for branch, name, exit_code in drawn:
        kind = getattr(errors, name)
        depth = len(branch + " ") // 4 if branch else 0
        parents[depth:] = [name]
        assert not depth or kind.__base__.__name__ == parents[depth - 1]
        assert not exit_code or kind.exit_code == int(exit_code)
    assert [name for _, name, _ in drawn] == [kind.__name__ for kind in tree()]


# --- commands ---------------------------------------------------------------------------------------------------

SECTIONS = dict(sections(page("cli.md")))


def options(command: str) -> Iterator[str]:
    """The options of a command's own and of its words', each by its longest name."""
    parser = argparse.ArgumentParser(add_help=False)
    import_module(f"headway.cli.{command.replace('-', '_')}").add_arguments(parser)
    yield from options_of(parser)


EVERY = {"--help", "--json", "--folder"}


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from (option for option in options_of(below) if option not in EVERY)
        elif action.option_strings:
            yield max(action.option_strings, key=len)


def test_the_page_of_commands_has_every_command_and_no_other() -> None:
    assert {head.removeprefix("headway ") for head in SECTIONS if head.startswith("headway ")} == set(SHOWN)


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_is_shown_with_its_options_and_an_example(command: str) -> None:
    text = SECTIONS[f"headway {command}"]
    assert [option for option in options(command) if f"`{option}" not in text] == []
    examples = [block for language, block in BLOCK.findall(text) if language in ("console", "text")]
    assert any(re.search(rf"^\$ (.*; )?headway {command}\b", block, re.MULTILINE) for block in examples)


def test_every_exit_code_is_explained() -> None:
    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], flags=re.MULTILINE)}
    assert explained == {0, 1, 2, 3, 4, 5, 6, 7, 130}
    assert {kind.exit_code for kind in tree()} <= explained


@pytest.mark.slow
def test_what_the_page_of_commands_types_prints_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "fares"
    folder.mkdir()
    try:
        typed = list(play(page("cli.md"), folder))
    finally:
        # The page ends it itself, unless it failed half-way.
        run("headway endpoints --stop fares", folder)
    assert len(typed) > 20
    differing = [f"$ {one.command}\n{one.printed}-- the page says\n{one.expected}" for one in typed if not one.is_same]
    assert not differing, "\n".join(differing) + "\nto write it down: python tests/sessions.py docs/cli.md"


def test_what_the_front_page_types_of_releases_prints_what_it_says(tmp_path: Path) -> None:
    text = dict(sections((ROOT / "README.md").read_text()))["Released step by step"]
    (typed,) = play(text, tmp_path)
    assert typed.is_same, f"$ {typed.command}\n{typed.printed}-- the page says\n{typed.expected}"


# --- settings and variables -------------------------------------------------------------------------------------


def settings(kind: type[msgspec.Struct] = config._File, prefix: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        # Of a list of tables (`[[notify]]`) each setting is explained as that of one table.
        inner = get_args(field.type)[0] if kind is config._File and get_args(field.type) else field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from settings(inner, f"{prefix}{field.encode_name}.")
        else:
            yield prefix + field.encode_name


@pytest.mark.parametrize("setting", list(settings()))
def test_every_setting_is_explained(setting: str) -> None:
    assert f"\n| `{setting}` |" in page("configuration.md")


def test_the_page_of_settings_names_every_variable_and_no_other() -> None:
    texts = [path.read_text() for path in SOURCE.rglob("*.py")]
    used = {name for text in texts for name in re.findall(r"\bHEADWAY_[A-Z][A-Z_]*", text)}
    explained = set(re.findall(r"\| `(HEADWAY_[A-Z_]+)", page("configuration.md")))
    assert explained == used


def test_the_whole_file_of_settings_is_one_that_is_read(tmp_path: Path) -> None:
    (toml,) = [text for language, text in BLOCK.findall(page("configuration.md")) if language == "toml"]
    (tmp_path / "headway.toml").write_text(toml)
    read = config.load(folder=str(tmp_path))
    assert read.jobs == 4
    written = tomllib.loads(toml)
    tables = [(group, table) for group, one in written.items() for table in (one if isinstance(one, list) else [one])]
    assert set(settings()) == {path for group, table in tables for path in paths(table, f"{group}.")}


def paths(table: dict[str, Any], above: str) -> Iterator[str]:
    """The settings of a table and of those below it; one whose keys are a person's own is one setting."""
    for key, value in table.items():
        if isinstance(value, dict) and above + key not in settings():
            yield from paths(value, f"{above}{key}.")
        else:
            yield above + key


# --- the pipeline -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [File, Step], ids=["top", "step"])
def test_every_key_of_the_pipeline_is_explained(kind: type[msgspec.Struct]) -> None:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    assert [field.encode_name for field in info.fields if f"`{field.encode_name}`" not in page("pipeline.md")] == []


def test_every_step_type_is_explained() -> None:
    assert {head for head, _ in sections(page("steps.md"))} >= set(steps.known())


# --- links, places, examples ------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the heads of a page."""
    heads = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = BLOCK.sub("", path.read_text())
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        other = path if not file else path.parent / file
        assert other.exists(), f"{named(path)} links to {target}"
        assert not anchor or anchor in anchors(other.read_text()), f"{named(path)} links to {target}"


def test_every_page_that_the_code_points_to_is_there() -> None:
    texts = [path.read_text() for path in SOURCE.rglob("*.py")]
    named_pages = {name for text in texts for name in re.findall(r"\bdocs/[\w/-]+\.md", text)}
    assert named_pages
    assert [name for name in sorted(named_pages) if not (ROOT / name).exists()] == []


MACHINE = re.compile(r"(?<![\w.])/(root|work|tmp|private|Users)/|/home/(?!ann/)")


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_no_page_tells_of_somebodys_machine(path: Path) -> None:
    assert MACHINE.findall(path.read_text()) == []


PYTHON = [
    (path, block) for path in PAGES for language, block in BLOCK.findall(path.read_text()) if language == "python"
]


@pytest.mark.parametrize(("path", "block"), PYTHON, ids=lambda x: named(x) if isinstance(x, Path) else "")
def test_python_on_a_page_is_python_and_its_examples_run(path: Path, block: str) -> None:
    if ">>>" not in block:
        compile(block, named(path), "exec")
        return
    examples = doctest.DocTestParser().get_doctest(block, {}, named(path), named(path), 0)
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples).failed == 0


def test_every_console_block_has_a_command() -> None:
    for path in PAGES:
        for language, block in BLOCK.findall(path.read_text()):
            assert language != "console" or list(commands(block)), named(path)
