"""Expressions: GitHub's rules, the shell's quoting, and that a value is never run."""

import os
import subprocess
from contextlib import suppress
from shutil import which
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headway.core.expression import Scope, StepScope, bind, evaluate, fill, fill_known, is_met
from headway.core.expression_names import in_run, step_ids
from headway.core.expression_shell import slots
from headway.errors import ExpressionUnreadable
from tries import tries

SCOPE = Scope(
    params={
        "lr": 0.1,
        "n": 3,
        "on": True,
        "off": False,
        "none": None,
        "list": [1, "b"],
        "train": {"depth": 5, "a-b": 1},
    },
    steps={
        "train-model": StepScope(out={"model": "models/model.pkl", "auc": "0.91"}, outcome="passed"),
        "1st": StepScope(outcome="skipped"),
    },
    env={"LEVEL": "info", "EMPTY": ""},
    matrix={"lr": 0.01, "kind": "train"},
    run_id="7",
    run_name="churn",
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.5", -2.5),
        ("1e3", 1000.0),
        ("0xff", 255),
        ("0o17", 15),
        (".5", 0.5),
        ("+3", 3),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("'it''s'", "it's"),
        ("'}}'", "}}"),
        ("params.lr", 0.1),
        ("params.train.depth", 5),
        ("params.train.a-b", 1),
        ("params['train']['depth']", 5),
        ("params[matrix.kind].depth", 5),
        ("params.list[1]", "b"),
        ("params.list[7]", None),
        ("params.nothing.at.all", None),
        ("steps.train-model.out.model", "models/model.pkl"),
        ("steps['train-model'].out['auc'] > 0.9", True),
        ("steps.train-model.outcome", "passed"),
        ("steps.1st.outcome == 'skipped'", True),
        ("steps.nobody.outcome", None),
        ("env.LEVEL", "info"),
        ("matrix.lr", 0.01),
        ("run.id", "7"),
        ("run.name", "churn"),
    ],
)
def test_literals_and_names_have_their_values(text: str, value: object) -> None:
    assert evaluate(text, SCOPE) == value
    assert type(evaluate(text, SCOPE)) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # The rules and most examples are those of GitHub's page on expressions.
        ("'abc' == 'ABC'", True),
        ("'abc' != 'ABC'", False),
        ("null == 0", True),
        ("null == ''", True),
        ("true == 1", True),
        ("'1' == 1", True),
        ("'0x10' == 16", True),
        ("'x' == 0", False),
        ("'x' != 0", True),
        ("'x' < 1", False),
        ("'x' >= 1", False),
        ("'' == 0", True),
        ("'a' < 'B'", True),
        ("2 < 10", True),
        ("'2' < '10'", False),
        ("null < null", False),
        ("null <= null", True),
        ("params.list == params.list", False),
        ("1 < 2 == true", True),
        ("!''", True),
        ("!'0'", False),
        ("!!params.list", True),
        ("!0", True),
        ("1 && 'x'", "x"),
        ("0 && 'x'", 0),
        ("'' || 'default'", "default"),
        ("'a' || 'b' && 'c'", "a"),
        ("('a' || 'b') && 'c'", "c"),
        ("params.none || params.off || 3", 3),
        ("contains('Hello', 'LL')", True),
        ("contains(params.list, 'B')", True),
        ("contains(params.list, 2)", False),
        ("startsWith('Hello', 'he')", True),
        ("endsWith('Hello', 'LO')", True),
        ("STARTSWITH('a', 'b')", False),
        ("format('{0}-{1} {{x}} {0}', 'a', 1)", "a-1 {x} a"),
        ("join(params.list)", "1,b"),
        ("join(params.list, '; ')", "1; b"),
        ("join('one')", "one"),
    ],
)
def test_operators_and_functions_follow_github(text: str, value: object) -> None:
    assert evaluate(text, SCOPE) == value


@pytest.mark.parametrize(
    ("text", "problem", "remedy", "offset"),
    [
        ("", "the expression is empty", "write what it stands for", 0),
        ("params.", "a name is missing after `.`", "write the name", 7),
        ("1 +", "`+` is not part of the language", "there are names", 2),
        ('"x"', '`"` is not part of the language', "'single quotes'", 0),
        ("a = b", "`=` is not part of the language", "compare with `==`", 2),
        ("a & b", "`&` is not part of the language", "write `&&`", 2),
        ("(1", "`)` is missing before the end", "add the `)`", 2),
        ("1 2", "`2` is not expected here", "join values with", 2),
        ("'x", "a text is never closed", "close it", 0),
        ("lenght('x')", "there is no function `lenght`", "there are success", 0),
        ("contain('x', 'y')", "there is no function `contain`", "did you mean `contains`?", 0),
        ("contains('x')", "`contains` takes 2 values, not 1", "see docs", 0),
        ("param.x", "there is nothing named `param`", "did you mean `params`?", 0),
        ("1 == secrets.KEY", "there is nothing named `secrets`", "use $NAME", 5),
        ("steps.a.outputs.x", "`steps.a.outputs.x` names nothing of a step", "write steps.a.out.x", 0),
        ("steps.a", "`steps.a` names nothing of a step", "write steps.a.out.NAME", 0),
        ("run.number", "`run.number` names nothing of a run", "run.id and run.name", 0),
        ("params.*", "`*` is not part of the language", "name one value", 7),
        ("1e", "`1e` is not a number", "write it like 10", 0),
        ("format('{1}', 'a')", "format has no value for `{1}`", "write {0}", 0),
        ("format('{')", "format has no value for `{`", "write {0}", 0),
        ("(" * 60 + "1" + ")" * 60, "the expression nests deeper than 50", "make it shorter", 50),
        ("!" * 60 + "1", "the expression nests deeper than 50", "make it shorter", 50),
    ],
)
def test_a_fault_says_what_where_and_what_to_do(text: str, problem: str, remedy: str, offset: int) -> None:
    with pytest.raises(ExpressionUnreadable) as e:
        evaluate(text, SCOPE)
    assert problem in e.value.problem
    assert remedy in e.value.remedy
    assert e.value.offset == offset


@pytest.mark.parametrize(
    ("condition", "passing", "failed", "interrupted"),
    [
        ("", True, False, False),
        ("success()", True, False, False),
        ("failure()", False, True, False),
        ("always()", True, True, True),
        ("cancelled()", False, False, True),
        ("!cancelled()", True, True, False),
        ("failure() || success()", True, True, False),
        ("params.on", True, False, False),
        ("${{ params.on }}", True, False, False),
        ("${{ params.off }}", False, False, False),
        ("steps.train-model.outcome == 'passed'", True, False, False),
        ("always() && params.off", False, False, False),
        ("  ${{ always() }}  ", True, True, True),
    ],
)
def test_a_condition_without_a_status_function_implies_success(
    condition: str, passing: bool, failed: bool, interrupted: bool
) -> None:
    for scope, met in (
        (SCOPE, passing),
        (replace(SCOPE, failed=True), failed),
        (replace(SCOPE, failed=True, interrupted=True), interrupted),
    ):
        assert is_met(condition, scope) is met


def test_a_condition_half_inside_braces_is_refused_where_github_takes_it_for_true() -> None:
    with pytest.raises(ExpressionUnreadable, match="partly inside"):
        is_met("${{ params.off }} && params.off", SCOPE)


def test_fill_keeps_the_type_of_a_text_that_is_one_expression() -> None:
    written = {"a": "${{ params.lr }}", "b": ["x ${{ params.on }}", "${{ params.train }}"], "c": 3, "d": "plain"}
    assert fill(written, SCOPE) == {"a": 0.1, "b": ["x true", {"depth": 5, "a-b": 1}], "c": 3, "d": "plain"}
    assert fill("${{ params.none }}", SCOPE) is None
    assert fill(" ${{ params.n }}", SCOPE) == " 3"
    assert fill("${{ params.list }} ${{ params.none }}.", SCOPE) == '[1,"b"] .'


@pytest.mark.parametrize("text", ["${{ params.gone }}", "a ${{ steps.train-model.out.gone }}", "${{ matrix.gone }}"])
def test_a_name_alone_that_stands_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(ExpressionUnreadable, match="has no value"):
        fill(text, SCOPE)
    with pytest.raises(ExpressionUnreadable, match="has no value"):
        bind(text, SCOPE)
    assert fill(text.replace(" }}", " || 'x' }}"), SCOPE).endswith("x")


def test_an_environment_variable_that_is_not_set_is_empty() -> None:
    assert fill("<${{ env.GONE }}>", SCOPE) == "<>"


def test_fill_known_leaves_what_only_the_run_knows() -> None:
    text = "out/${{ matrix.lr }}/${{ params.n }}/${{ steps.train-model.out.model }}/${{ steps.1st.outcome }}"
    assert fill_known(text, SCOPE) == "out/0.01/${{ params.n }}/models/model.pkl/${{ steps.1st.outcome }}"
    assert fill_known("${{ steps.train-model.out.gone || 'x' }}", SCOPE) == "${{ steps.train-model.out.gone || 'x' }}"
    assert fill_known("${{ broken", SCOPE) == "${{ broken"


def test_step_ids_are_the_steps_of_a_text() -> None:
    text = "${{ steps.a.out.x }} ${{ steps['b c'].outcome && params.x }} ${{ not readable"
    assert step_ids(text) == {"a", "b c"}


# --- the shell ------------------------------------------------------------------------------------------------------


def test_the_same_expression_is_carried_once() -> None:
    text, env = bind('echo ${{ params.lr }} "${{params.lr}}" ${{ run.id }}', SCOPE)
    assert text == 'echo "${HEADWAY_EXPR_1}" "${HEADWAY_EXPR_1}" "${HEADWAY_EXPR_2}"'
    assert env == {"HEADWAY_EXPR_1": "0.1", "HEADWAY_EXPR_2": "7"}


def test_a_text_without_expressions_is_left_alone() -> None:
    assert bind("echo '$(x)' `y` ${z}", SCOPE) == ("echo '$(x)' `y` ${z}", {})


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("echo '${{ run.id }}'", "use double quotes"),
        ("echo $'a\\'${{ run.id }}'", "use double quotes"),
        ("echo \"$(echo '${{ run.id }}')\"", "use double quotes"),
        ("echo 'unclosed ${{ run.id }}", "use double quotes"),
        ("cat <<'EOF'\n${{ run.id }}\nEOF", "take the quotes off"),
        ("cat <<\\EOF\n${{ run.id }}\nEOF", "take the quotes off"),
        ('cat <<-"EOF"\n\tx\n\t${{ run.id }}\n\tEOF', "take the quotes off"),
        ("cat << ${{ run.id }}\n", "use a fixed word"),
        ("echo $(( ${{ run.id }} + 1 ))", "compute it"),
        ("(( x = ${{ run.id }} ))", "compute it"),
        ("echo `echo ${{ run.id }}`", "write $( … )"),
        ("echo \\${{ run.id }}", "remove the backslash"),
        ('echo "\\${{ run.id }}"', "remove the backslash"),
        ("echo $${{ run.id }}", "for a plain $"),
        ('echo "$${{ run.id }}"', "for a plain $"),
        ("echo ${{ run.id", "close it"),
    ],
)
def test_places_where_no_value_can_go_are_refused(text: str, remedy: str) -> None:
    with pytest.raises(ExpressionUnreadable) as e:
        bind(text, SCOPE)
    assert remedy in e.value.remedy
    assert text[e.value.offset :].startswith("${{")


@pytest.mark.parametrize("shell", ["python {0}", "pwsh", "/usr/bin/perl", "node"])
def test_other_shells_take_values_through_env(shell: str) -> None:
    with pytest.raises(ExpressionUnreadable) as e:
        in_run("print(${{ params.lr }})", shell)
    assert "env: {NAME:" in e.value.remedy
    assert in_run("print(1)", shell) == []


@pytest.mark.parametrize("shell", [None, "bash -x {0}", "/bin/sh", "dash", "zsh -e"])
def test_posix_shells_take_expressions(shell: str | None) -> None:
    assert [r.path for r in in_run("echo ${{ params.lr }} # ${{ nonsense", shell)] == [("lr",)]


TEXTS = {
    "bare": "printf %s ${{ params.v }}",
    "in a word": "printf %s a${{ params.v }}b",
    "option": "printf %s --x=${{ params.v }}",
    "assigned": 'x=${{ params.v }}; printf %s "$x"',
    "double quotes": 'printf %s "a ${{ params.v }} b"',
    "substitution": "x=$(printf '%s.' ${{ params.v }}); printf %s \"$x\"",
    "quoted substitution": 'printf %s "$(printf "%s." "${{ params.v }}")"',
    "bare in quoted substitution": 'printf %s "$(printf "%s." ${{ params.v }})"',
    "heredoc": "cat <<EOF\na ' \" ${{ params.v }} b\nEOF",
    "heredoc with tabs": "cat <<-EOF\n\ta ${{ params.v }}\n\tEOF",
    "substitution in heredoc": "cat <<EOF\n$(printf '%s.' ${{ params.v }})\nEOF",
    "heredoc in substitution": 'x="$(cat <<EOF\n${{ params.v }}.\nEOF\n)"; printf %s "$x"',
    "two heredocs": "cat <<A; cat <<B\n${{ params.v }}\nA\n<${{ params.v }}>\nB",
    "default": "printf %s ${NOT_SET_AT_ALL:-${{ params.v }}}",
    "quoted default": 'printf %s "${NOT_SET_AT_ALL:-${{ params.v }}}"',
    "subshell": "( ( printf %s ${{ params.v }} ) )",
    "case": "case ${{ params.v }} in nothing) ;; *) printf %s ${{ params.v }} ;; esac",
    "case in substitution": 'printf %s "$(case a in a) printf "%s." ${{ params.v }} ;; esac)"',
    "after a comment": "# it's \"${{ params.v }}\n: $# # '\nprintf %s ${{ params.v }}",
    "hash in a word": "printf %s a#${{ params.v }}",
    "function": 'f() { printf %s "$1"; }\nf ${{ params.v }}',
    "if": "if [ x != ${{ params.v }} ]; then printf %s ${{ params.v }}; fi",
    "escaped quotes": "printf %s \\\"${{ params.v }}\\'",
    "after arithmetic": "x=$(( (1 + 2) << 1 )); printf %s ${{ params.v }}",
    "continued": "printf %s \\\n  ${{ params.v }}",
    "after a plain dollar": 'printf %s "\\$${{ params.v }}"',
    "after a process number": 'printf %s "$$${{ params.v }}"',
    "after a quoted newline": "printf %s 'a\n#' ${{ params.v }}",
}
VALUES = [
    '"; touch pwned; $(touch pwned) `touch pwned`',
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    "a b  c * ? [a]",
    "\\",
    "x\\\ny",
    "${IFS}",
    "-n",
    "a\nEOF\ntouch pwned\n",
    "}; touch pwned; {",
    ") ; touch pwned; (",
    "# no comment",
    "äöü €",
    "",
]


@pytest.mark.parametrize("shell", ["bash -eo pipefail -c", "dash -ec"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_value_reaches_the_script_as_data(text: str, shell: str, tmp_path: Any) -> None:
    if which(shell.split(maxsplit=1)[0]) is None:
        pytest.skip("this machine has no such shell")
    for value in VALUES:
        bound, env = bind(text, Scope(params={"v": value}))
        assert value not in bound or not value.strip("\\")
        done = subprocess.run(
            [*shell.split(), bound], cwd=tmp_path, env={"PATH": os.defpath, **env}, capture_output=True, check=False
        )
        assert os.listdir(tmp_path) == []
        assert done.stderr == b""
        shown = done.stdout.decode()
        # A shell takes trailing newlines off a substitution; the texts above put a dot after the value.
        assert value in shown, (value, bound)


SOME_BITS = """' " ` $( ) ( ${x:- } $(( )) <<EOF~ ~EOF~ <<'E'~ ~E~ # \\ ~ _ a ; case_x_in esac $' ${{_params.v_}}
${{params.v}} ${{params.v}} <<< $ | & {{ }}"""
SHELL_BITS = st.sampled_from(SOME_BITS.replace("\n", " ").split(" ")).map(
    lambda b: b.replace("~", "\n").replace("_", " ")
)


@settings(max_examples=tries(200), deadline=None)
@given(st.lists(SHELL_BITS, max_size=14).map("".join))
@example("$(($(${{ params.v }}")
def test_no_text_makes_a_value_run(text: str) -> None:
    """Whatever the quoting is taken for, the value is nowhere in the text that the shell reads."""
    try:
        bound, env = bind(text, Scope(params={"v": "VALUE"}))
    except ExpressionUnreadable:
        return
    assert "VALUE" not in bound
    assert set(env.values()) <= {"VALUE"}
    kept = [text[slot.start : slot.end] for slot in slots(text) if slot.kind == "comment"]
    assert bound.count("${{") == sum(one.count("${{") for one in kept)


def test_a_value_with_a_nul_cannot_be_carried() -> None:
    with pytest.raises(ExpressionUnreadable, match="cannot be put into an environment variable"):
        bind("echo ${{ params.v }}", Scope(params={"v": "a\0b"}))
    with pytest.raises(ExpressionUnreadable, match="cannot be put into an environment variable"):
        bind("echo ${{ params.v }}", Scope(params={"v": "\ud800"}))


# --- laws -----------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES_OF_PARAMS = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v))
SOME_WORDS = """params steps env matrix run . [ ] ( ) a 'b' 1 -2.5 == != < <= && || ! , success() contains(
format('{0}' join( null true id 0x1F 1e999"""
WORDS = st.sampled_from(SOME_WORDS.split())
EXPRESSIONS = (
    st.text(max_size=30) | st.lists(WORDS, max_size=14).map(" ".join) | st.lists(WORDS, max_size=8).map("".join)
)


@settings(max_examples=tries(200), deadline=None)
@given(EXPRESSIONS, st.dictionaries(st.sampled_from(["a", "b", "id"]), VALUES_OF_PARAMS))
def test_expressions_raise_nothing_but_expression_unreadable(text: str, params: dict[str, Any]) -> None:
    scope = Scope(params=params, matrix=params, steps={"a": StepScope(out={"a": "x"})})
    for act in (evaluate, is_met, lambda t, s: fill(f"x ${{{{ {t} }}}}", s), lambda t, s: bind(f"${{{{{t}}}}}", s)):
        with suppress(ExpressionUnreadable):
            act(text, scope)
    step_ids(text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_can_be_quoted_and_compared(a: str, b: str) -> None:
    scope = Scope(params={"a": a, "b": b})
    quoted = "'" + a.replace("'", "''") + "'"
    assert evaluate(quoted, scope) == a
    assert evaluate(f"params.a == {quoted}", scope) is True
    assert evaluate("params.a < params.b", scope) is (a.upper() < b.upper())
    assert fill(f"${{{{ {quoted} }}}}", scope) == a
