"""How a step's text is started: directly only where bash would see the very same words."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headway import config
from headway.core.pipeline import StepSpec
from headway.errors import NameUnknown
from headway.flows.commands import Command, Shells, builtin, file_name, find
from tries import tries

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="this machine has no bash to compare with")

ENVIRON = {"PATH": config.load().environ["PATH"], "LANG": "C.UTF-8"}
SHOW = "#!/bin/sh\nfor a do printf '%s\\0' \"$a\"; done\n"


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program `show`, which prints its arguments, each followed by a NUL."""
    folder = tmp_path_factory.mktemp("tools")
    (folder / "show").write_text(SHOW)
    (folder / "show").chmod(0o755)
    return folder


def chosen(
    text: str,
    *,
    shell: str | None = None,
    environ: Mapping[str, str] = ENVIRON,
    env: Mapping[str, str] | None = None,
    scripts: str = "",
) -> Command:
    spec = StepSpec(id="s", name="s", run=text, shell=shell)
    return Shells(environ, scripts).command(spec, text, "s.script", env or {})


def is_direct(text: str, *, environ: Mapping[str, str] = ENVIRON, env: Mapping[str, str] | None = None) -> bool:
    return bool(chosen(text, environ=environ, env=env).fallback)


def printed(argv: tuple[str, ...], folder: Path) -> list[str]:
    """What a command prints that shows its arguments, run where `show` can be found."""
    environ = {**ENVIRON, "PATH": f"{folder}:{ENVIRON['PATH']}"}
    done = subprocess.run(argv, env=environ, cwd=folder, capture_output=True, check=True)
    return os.fsdecode(done.stdout).split("\0")[:-1]


# --- directly or not --------------------------------------------------------------------------------------------

DIRECT = [
    "show",
    "show a b",
    "  show   a  b ",
    "./show a",
    "show -x --long +y",
    "show a,b a:b a/b @x",
    "show grüße 日本",
    "show --lr 0.1 data/a-b_c.csv",
    "show 1 2 -",
    "show a.b..c",
    "show in done then time",
]

THROUGH_BASH = {
    "a variable": ("show $HOME", None),
    "quotes": ("show 'a b'", ["a b"]),
    "double quotes": ('show "a  b"', ["a  b"]),
    "a backslash": ("show a\\ b", ["a b"]),
    "a glob": ("show sho*", ["show"]),
    "one sign": ("show sho?", ["show"]),
    "a set": ("show [s]how", ["show"]),
    "braces": ("show a{1,2}", ["a1", "a2"]),
    "home": ("show ~", None),
    "a comment": ("show a # b", ["a"]),
    "an assignment": ("A=1 show a", ["a"]),
    "two commands": ("show a; show b", ["a", "b"]),
    "two lines": ("show a\nshow b", ["a", "b"]),
    "a pipe": ("show a | cat", ["a"]),
    "and": ("show a && show b", ["a", "b"]),
    "a file": ("show a > out; show b", ["b"]),
    "a subshell": ("(show a)", ["a"]),
    "a substitution": ("show `show a | tr -d '\\0'`", ["a"]),
    "arithmetic": ("show $((1+1))", ["2"]),
    "not": ("! show a; show b", ["a", "b"]),
    "a tab": ("show\ta", ["a"]),
    "a background": ("show a & wait", ["a"]),
    "here": ("show a <<< b", ["a"]),
    "a minus first": ("-x; show a", None),
}


@pytest.mark.parametrize("text", DIRECT)
def test_a_plain_command_is_started_directly_with_the_words_bash_would_see(text: str, tools: Path) -> None:
    command = chosen(text)
    assert command.fallback[-1] == text
    assert printed(command.argv, tools) == printed(command.fallback, tools)


@pytest.mark.parametrize(("text", "words"), THROUGH_BASH.values(), ids=THROUGH_BASH.keys())
def test_shell_syntax_goes_through_bash(text: str, words: list[str] | None, tools: Path) -> None:
    command = chosen(text)
    assert command.fallback == ()
    assert os.path.basename(command.argv[0]) == "bash"
    if words is not None:
        assert printed(command.argv, tools) == words


signs = st.characters(codec="utf-8", exclude_characters="\0")
words = st.text(st.sampled_from("abz019-+_.,:/@ \r\x0b\x0c\x01\x7f\x85\xa0") | signs, max_size=8)


@settings(max_examples=tries(150), suppress_health_check=[HealthCheck.filter_too_much])
@given(words)
def test_whenever_a_text_starts_directly_bash_would_have_seen_the_same_words(tools: Path, text: str) -> None:
    text = f"show {text}"
    command = chosen(text)
    assume(command.fallback)
    assert list(command.argv[1:]) == printed(command.fallback, tools)


def test_no_builtin_or_keyword_of_bash_is_taken_for_a_program() -> None:
    listed = subprocess.run(["bash", "-c", "compgen -b; compgen -k"], capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert len(names) > 50
    assert [name for name in names if is_direct(f"{name} a")] == []


@pytest.mark.parametrize("name", ["BASH_ENV", "SHELLOPTS", "BASHOPTS", "EXECIGNORE", "BASH_FUNC_show%%"])
def test_a_variable_that_bash_minds_sends_everything_through_it(name: str) -> None:
    assert is_direct("show a")
    assert not is_direct("show a", environ={**ENVIRON, name: "x"})
    assert not is_direct("show a", env={name: "x"})


def test_a_function_of_another_name_changes_nothing() -> None:
    assert is_direct("show a", environ={**ENVIRON, "BASH_FUNC_module%%": "() { :; }"})


def test_an_exported_function_goes_before_the_program(tools: Path) -> None:
    function = {"BASH_FUNC_show%%": "() { printf 'function\\0'; }"}
    command = chosen("show a", env=function)
    environ = {**ENVIRON, **function, "PATH": f"{tools}:{ENVIRON['PATH']}"}
    done = subprocess.run(command.argv, env=environ, capture_output=True, check=True)
    assert done.stdout == b"function\0"


def test_what_bash_reads_first_is_read(tmp_path: Path, tools: Path) -> None:
    (tmp_path / "rc").write_text("show() { printf 'rc\\0'; }\n")
    command = chosen("show a", env={"BASH_ENV": str(tmp_path / "rc")})
    environ = {**ENVIRON, "BASH_ENV": str(tmp_path / "rc"), "PATH": f"{tools}:{ENVIRON['PATH']}"}
    assert subprocess.run(command.argv, env=environ, capture_output=True, check=True).stdout == b"rc\0"


@pytest.mark.parametrize("text", ["", "   "])
def test_a_text_of_nothing_passes(text: str) -> None:
    assert subprocess.run(chosen(text).argv, env=ENVIRON, check=False).returncode == 0


def test_a_text_that_begins_with_a_minus_is_no_option_of_bash() -> None:
    done = subprocess.run(chosen("-x").fallback, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 127
    assert "-x: command not found" in done.stderr


# --- bash's own rules -------------------------------------------------------------------------------------------


def code_of(text: str, environ: Mapping[str, str] = ENVIRON) -> int:
    return subprocess.run(chosen(text, environ=environ).argv, env=ENVIRON, capture_output=True, check=False).returncode


@pytest.mark.parametrize("text", ["false | true", "false; true", "false\ntrue"])
def test_the_first_failure_ends_a_text(text: str) -> None:
    assert code_of(text) == 1


def test_without_bash_sh_does_it_and_stops_at_failures(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    assert chosen("a; b", environ=environ).argv == ("/bin/sh", "-e", "-c", "--", "a; b")
    assert code_of("false; true", environ) == 1


@pytest.mark.parametrize("text", ["true\n" * 40_000, "true " + "ü" * 60_000], ids=["signs", "bytes"])
def test_a_text_too_long_for_an_argument_goes_through_a_file(text: str, tmp_path: Path) -> None:
    command = chosen(f"{text}\nfalse\ntrue", scripts=str(tmp_path))
    script = str(tmp_path / "s.script")
    assert command.argv[1:] == ("-eo", "pipefail", script)
    assert subprocess.run(command.argv, env=ENVIRON, check=False).returncode == 1


# --- `shell:` ---------------------------------------------------------------------------------------------------

SHELLS = {
    "bash": ("bash", "-eo", "pipefail", "SCRIPT"),
    "sh": ("sh", "-e", "SCRIPT"),
    "zsh": ("zsh", "-e", "SCRIPT"),
    "python": ("python", "SCRIPT"),
    "python3": ("python3", "SCRIPT"),
    "python -u {0}": ("python", "-u", "SCRIPT"),
    "Rscript --file={0}": ("Rscript", "--file=SCRIPT"),
    "{0}": ("SCRIPT",),
    "bash -x": ("bash", "-x", "SCRIPT"),
}


@pytest.mark.parametrize(("shell", "argv"), SHELLS.items(), ids=SHELLS.keys())
def test_a_shell_gets_the_script_as_a_file(shell: str, argv: tuple[str, ...], tmp_path: Path) -> None:
    command = chosen("print(1)", shell=shell, scripts=str(tmp_path / "new"))
    script = tmp_path / "new" / "s.script"
    assert command.argv == tuple(word.replace("SCRIPT", str(script)) for word in argv)
    assert script.read_text() == "print(1)\n"
    assert command.fallback == ()


def test_python_can_be_the_shell(tmp_path: Path) -> None:
    command = chosen("for i in range(2):\n    print(i)", shell=f"{sys.executable} {{0}}", scripts=str(tmp_path))
    assert subprocess.run(command.argv, capture_output=True, text=True, check=True).stdout == "0\n1\n"


def test_an_unknown_shell_is_refused_with_its_step() -> None:
    with pytest.raises(NameUnknown) as caught:
        chosen("x", shell="fish")
    assert caught.value.at == "step s: shell"


# --- the rest ---------------------------------------------------------------------------------------------------


def test_a_built_in_step_is_not_confused_by_the_names_of_a_users_files(tmp_path: Path) -> None:
    (tmp_path / "argparse.py").write_text("raise SystemExit('the wrong argparse')")
    done = subprocess.run(
        builtin("nothing.task").argv, cwd=tmp_path, env={**ENVIRON}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no task file nothing.task" in done.stderr


def test_a_program_is_found_where_the_path_says(tools: Path, tmp_path: Path) -> None:
    (tmp_path / "show").mkdir()
    assert find("show", {"PATH": f"{tmp_path}:{tools}"}) == str(tools / "show")
    assert find("show", {"PATH": str(tmp_path)}) is None


ids = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.text("a%5b[]/.~", max_size=300)


@given(ids, ids)
def test_the_files_of_different_steps_are_different(a: str, b: str) -> None:
    assert (file_name(a) == file_name(b)) is (a == b)
    assert "/" not in file_name(a)
    assert len(file_name(a).encode()) <= 200


def test_the_files_of_usual_steps_have_their_names() -> None:
    assert file_name("train-model") == "train-model"
    assert file_name("train[lr=0.1,depth=3]") == "train%5blr=0.1,depth=3%5d"
