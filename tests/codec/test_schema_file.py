import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.codec import human, schema_file
from headway.codec.schema_file import read_schema
from headway.codec.schema_text import plain, schema_text
from headway.core import schema as s
from headway.core.schema_checks import checks_of
from headway.core.schema_faults import problems_in
from headway.errors import Fault, FileFaulty
from tries import tries

WHOLE = """\
# What training data must be like.
rows: 1000..
row-change: {min: 0.5, max: 2, severity: warn}
extra-columns: warn
columns:
  flight_id: {type: string, unique: true, matches: '[A-Z0-9]{2}\\d+'}
  date: {type: date, min: 2013-01-01, fresh: {within: 2d, severity: warn}, increasing: true}
  carrier: {type: string, values: [UA, B6, "9E"], other: 0.1%}
  temp: {type: number, nulls: 1%, min: {is: -40, tolerate: 3, severity: warn}, max: 130}
  hour: integer
  note:
  late: {type: integer, values: [0, 1], shares: {1: 5%..50%}}
key: [date, flight_id]
label: {column: late, balance: 5%, no-target-leak: true}
shift: {except: [flight_id, date], severity: warn}
foreign-keys:
  - {columns: carrier, in: data/airlines.csv, called: code}
not-in: data/holdout.csv
checks:
  - {name: no cold summer, row: "temp > 30 OR hour < 5", tolerate: 0.1%}
  - {python: checks.py:weekend, severity: warn}
x-notes: free
"""


def read(text: str) -> s.Schema:
    return read_schema(text.encode(), path="schemas/training.yaml")


def faults(text: str) -> list[Fault]:
    with pytest.raises(FileFaulty) as caught:
        read(text)
    assert caught.value.at.startswith("schemas/training.yaml:")
    return list(caught.value.faults)


def test_a_whole_schema_is_read() -> None:
    schema = read(WHOLE)
    assert schema.rows == "1000.."
    assert schema.row_change == s.Range(min=0.5, max=2, severity="warn")
    assert schema.columns["hour"] == "integer"
    assert schema.columns["note"] is None
    assert schema.columns["temp"] == s.Column(
        type="number", nulls="1%", min=s.Bound(is_=-40, tolerate=3, severity="warn"), max=130
    )
    assert schema.checks[0].name == "no cold summer"
    assert len(checks_of(schema)) == 32


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_asks_nothing(text: str) -> None:
    assert read(text) == s.Schema()
    assert checks_of(read(text)) == ()


@pytest.mark.parametrize(
    ("text", "line", "column", "problem", "remedy"),
    [
        ("columns:\n  a: nummer\n", 2, 6, "`a` must be", "did you mean `number`?"),
        ("columns:\n  a: {nullable: 0}\n", 2, 7, "the key `nullable` is not known here", "here it is called `nulls`"),
        ("columns:\n  a: {uniqe: true}\n", 2, 7, "the key `uniqe` is not known here", "did you mean `unique`?"),
        ("colums: {}\n", 1, 1, "the key `colums` is not known here", "did you mean `columns`?"),
        ("columns:\n  a: {min: 5, max: 3}\n", 2, 20, "nothing lies between `5` and `3`", "write more than `min`"),
        ("columns:\n  a: {above: 3, below: 3}\n", 2, 24, "nothing lies between `3` and `3`", "write more"),
        ("columns:\n  a: {min: 5, above: 3}\n", 2, 22, "`min` and `above` say the same twice", "keep one"),
        ("columns:\n  a: {type: string, mean: 4..6}\n", 2, 21, "`mean` cannot be asked of a string", "take it out"),
        ("columns:\n  a: {type: boolean, min: 0}\n", 2, 22, "`min` cannot be asked of a boolean", "take it out"),
        ("columns:\n  a: {type: number, min: x}\n", 2, 26, "`x` is not a number", "write a number"),
        ("columns:\n  a: {type: date, min: 31.1.2013}\n", 2, 24, "is not a date", "write it like 2013-01-31"),
        ("columns:\n  a: {type: string, values: [1]}\n", 2, 30, "`1` is not a string", 'put it in quotes: "1"'),
        ("columns:\n  a: {values: []}\n", 2, 15, "no value is allowed", "list some"),
        ("columns:\n  a: {values: [1, 9], max: 5}\n", 2, 28, "`max` forbids `9`", "no bounds are needed"),
        ("columns:\n  a: {min: .nan}\n", 2, 12, "nan is no number to compare with", "write a finite one"),
        ("columns:\n  a: {nulls: 120%}\n", 2, 14, "`120%` is not so many rows", "at most 100%"),
        ("columns:\n  a: {nulls: -1}\n", 2, 14, "`-1` is not so many rows", "write a count"),
        ("columns:\n  a: {min: {is: 0, tolerate: 200%}}\n", 2, 30, "`200%` is not so many rows", "at most 100%"),
        ("columns:\n  a: {matches: '[a-z'}\n", 2, 17, "unclosed character class", "Rust's"),
        ("columns:\n  a: {matches: 'xyz(?<=a)b'}\n", 2, 20, "look-around", "without look-around"),
        ("columns:\n  a: {mean: 6..4}\n", 2, 13, "nothing lies within 6 to 4", "the smaller number first"),
        ("columns:\n  a: {mean: about 4}\n", 2, 13, "`about 4` is not a span", "write 4..6"),
        ("columns:\n  a: {mean: {severity: warn}}\n", 2, 13, "neither `min` nor `max`", "write one"),
        ("columns:\n  a: {length: {min: 3, max: 2}}\n", 2, 29, "nothing has 3 to 2", "write more than `min`"),
        ("columns:\n  a: {length: {}}\n", 2, 15, "every length is so", "write min: 1"),
        ("columns:\n  a: {length: {min: -3, max: 2}}\n", 2, 21, "no length is less than 0", "write 1"),
        ("columns:\n  a: {mean: ..1e999}\n", 2, 13, "is not a span", "write 4..6"),
        ("version: 2\n", 1, 10, "version 2 of this format is not known", "update headway"),
        ("key: [a, b, a]\n", 1, 13, "`a` is named twice", "name it once"),
        ("columns: {a: }\nforeign-keys: [{columns: [a, a], in: x}]\n", 2, 30, "`a` is named twice", "name it once"),
        ("columns:\n  a: {distinct: 0.5..2}\n", 2, 17, "it counts", "write 10..20"),
        ("columns:\n  a: {fresh: soon}\n", 2, 14, "`soon` is not an age", "2d"),
        ("columns:\n  a: {varies: 2}\n", 2, 15, "`varies` must be", ""),
        ("columns:\n  a: {varies: 0.95}\n", 2, 15, "`varies` must be", "write 95%"),
        ("columns:\n  a: {nulls: 0.001}\n", 2, 14, "`nulls` must be", "write 0.1%"),
        ("columns:\n  a: {min: {is: 3, tolerate: 0.07}}\n", 2, 30, "`tolerate` must be", "write 7%"),
        ("columns:\n  a: {matches: 0.5}\n", 2, 16, "`matches` must be", "put it in quotes"),
        ("shift: {false-alarms: 0.01}\n", 1, 23, "`false-alarms` must be", "write 1%"),
        ("- a\n", 1, 1, "its top is not a mapping", "write columns:"),
        ("id,temp\n1,20\n", 1, 1, "its top is not a mapping", "write columns:"),
        ("columns:\n  a: {varies: 120%}\n", 2, 15, "`120%` is not a share", "write a share"),
        ("columns:\n  a: {quantiles: {95: 1..2}}\n", 2, 19, "`95` is no quantile", "write 0.95 or 95%"),
        ("columns:\n  a: {shares: {x: 5..6}}\n", 2, 19, "a share lies within 0 % to 100 %", "write 10%..30%"),
        ("columns:\n  a: {values: [1, 2], balanced: 60%}\n", 2, 33, "2 values cannot each", "at most 50%"),
        ("columns:\n  a: {other: 1%}\n", 2, 14, "`other` goes with `values`", "write values"),
        ("rows: -5..\n", 1, 7, "it counts", "write 10..20"),
        ("columns: {flight_id: string}\nkey: flight_idd\n", 2, 6, "there is no column `flight_idd`", "did you mean"),
        ("columns: {a: string}\nkey: [a, zzz]\n", 2, 10, "there is no column `zzz`", "add `zzz:` below columns"),
        ("shift: {false-alarms: 100%}\n", 1, 23, "`100%` is no rate of false alarms", "1%"),
        ("columns: {a: }\nshift: {columns: a, except: a}\n", 2, 29, "go against each other", "keep one"),
        ("checks:\n  - {name: x}\n", 2, 5, "the check asks nothing", "write one of row"),
        ("checks:\n  - {row: a > 1, sql: SELECT 1}\n", 2, 5, "the check asks row and sql at once", "write one of"),
        ("checks:\n  - {row: a >= }\n", 2, 11, "the condition cannot be read", "write a condition"),
        ("checks:\n  - python: weekend\n", 2, 13, "`weekend` names no function", "write file.py:name"),
        ("checks:\n  - {each: {min: 3}}\n", 2, 12, "`each` goes with `columns`", "write columns"),
        ("foreign-keys: [{columns: [a, b], in: x, called: c}]\n", 1, 16, "2 columns here answer to 1 there", "as many"),
        ("foreign-keys: [{columns: a}]\n", 1, 16, "`in` is missing", "write it like this"),
        ("a: [\n", 2, 1, "not YAML", ""),
    ],
)  # fmt: skip
def test_a_fault_has_its_place_and_a_remedy(text: str, line: int, column: int, problem: str, remedy: str) -> None:
    first = faults(text)[0]
    assert (first.line, first.column) == (line, column), first
    assert problem in first.problem
    assert remedy in first.remedy
    if line <= len(text.splitlines()):
        assert first.excerpt == text.splitlines()[line - 1]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    found = faults("rows: 5..3\ncolumns:\n  a: {typ: number}\n  b: {matches: '('}\nkey: c\nshift: {least: -1}\n")
    assert [one.line for one in found] == [1, 3, 4, 5, 6]


def test_a_file_that_is_no_text_is_refused() -> None:
    with pytest.raises(FileFaulty, match="1 fault"):
        read_schema(b"\xff\xfe", path="s.yaml")


# --- round trip -------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WORDS = st.sampled_from(["a", "b c", "no", "1", "4..6", "x: y", "#", "<<", "x-y", "~", "0x1", "1e3", "2d", "5%", "ü"])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
CELLS = NUMBERS | st.booleans() | TEXTS | WORDS


@st.composite
def structs(draw: st.DrawFn, kind: type[msgspec.Struct], depth: int = 0) -> msgspec.Struct:
    """Any value of the type, senseless ones too, most of its fields as they are by default."""
    given_ = {}
    for field in msgspec.structs.fields(kind):
        if field.required or draw(st.integers(0, 5)) == 0:
            given_[field.name] = draw(_values(msgspec.inspect.type_info(field.type), depth))
    return kind(**given_)


def _values(kind: msgspec.inspect.Type, depth: int) -> st.SearchStrategy[object]:  # noqa: C901, PLR0911
    match kind:
        case msgspec.inspect.Metadata():
            return _values(kind.type, depth)
        case msgspec.inspect.UnionType():
            return st.one_of([_values(one, depth) for one in kind.types])
        case msgspec.inspect.StructType():
            return structs(kind.cls, depth + 1)
        case msgspec.inspect.ListType():
            return st.lists(_values(kind.item_type, depth), max_size=3)
        case msgspec.inspect.DictType():
            return st.dictionaries(TEXTS | WORDS, _values(kind.value_type, depth), max_size=3)
        case msgspec.inspect.LiteralType():
            return st.sampled_from(kind.values)
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType():
            return st.integers(-(2**63), 2**63 - 1)
        case msgspec.inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case msgspec.inspect.NoneType():
            return st.none()
        case _:
            return TEXTS | WORDS


@settings(max_examples=tries(60), deadline=None)
@given(structs(s.Schema))
def test_what_is_written_is_read_back(schema: s.Schema) -> None:
    text = schema_text(schema, {"columns.a": "a note", "rows": "x" * 200}, head="A schema.\n")
    assert msgspec.convert(human.plain(text.encode(), path="s"), s.Schema) == schema
    if not problems_in(schema) and not list(schema_file._unreadable(schema)):
        assert read(text) == schema


@given(TEXTS | WORDS)
def test_a_text_is_read_back(text: str) -> None:
    assert human.plain(f"a: {{b: {plain(text)}, c: 1}}\n".encode(), path="s") == {"a": {"b": text, "c": 1}}


def test_the_text_is_one_line_a_column_and_wraps_what_is_long() -> None:
    schema = read(WHOLE)
    text = schema_text(schema, {"columns.temp": "-4.5 to 100.1", "columns": "7 columns"}, head="Made by headway.")
    assert text.splitlines()[0] == "# Made by headway."
    assert "columns:  # 7 columns\n" in text
    assert (
        "  temp: {type: number, nulls: 1%, min: {is: -40, tolerate: 3, severity: warn}, max: 130}  # -4.5 to 100.1\n"
    ) in text
    assert "  hour: integer\n  note:\n" in text
    assert read(text) == schema
    many = s.Schema(columns={"a": s.Column(type="string", values=[f"value {i}" for i in range(40)])})
    long = schema_text(many, {"columns.a": "40 values"})
    assert max(map(len, long.splitlines())) <= 118
    assert long.startswith("columns:\n  # 40 values\n  a:\n    type: string\n    values: [\n      value 0, value 1,")
    assert read(long) == many
