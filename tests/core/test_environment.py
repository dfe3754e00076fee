"""Which packages are needed: by the words of their own metadata, each in the version that was recorded."""

import pytest

from headway.core.environment import Needed, Pin, Requirement, hashed, listing, needed, requirement, versions

ASKS = {
    "scikit-learn": ["numpy>=1.24.1", "joblib>=1.3.0", 'pandas>=1.5; extra == "docs"'],
    "numpy": [],
    "joblib": [],
    "uvicorn": [
        "click>=7.0",
        'httptools>=0.6; extra == "standard"',
        "h11",
        'typing-extensions>=4; python_version < "3.11"',
    ],
    "click": ['colorama; platform_system == "Windows"'],
    "h11": [],
    "httptools": [],
    "loop": ["pool"],
    "pool": ["loop[x]", 'h11; extra == "x"'],
}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("numpy", Requirement("numpy")),
        ("Scikit_Learn (>=1.4,<2)", Requirement("scikit-learn")),
        ("a[b, C_d]>=1", Requirement("a", ("b", "c-d"))),
        ('a ; extra == "x" and python_version < "4"', Requirement("a", (), ("x",), is_certain=False)),
        ("a; extra=='x' or extra == 'y'", Requirement("a", (), ("x", "y"), is_certain=False)),
        ("a; sys_platform == 'win32'", Requirement("a", (), (), is_certain=False)),
        ("a @ https://example.com/a.whl", Requirement("a")),
        (">=2", None),
        ("", None),
    ],
)
def test_a_requirement_is_read_as_metadata_words_it(text: str, read: Requirement | None) -> None:
    assert requirement(text) == read


def of(*roots: Requirement, known: set[str] | None = None) -> Needed:
    return needed(roots, set(ASKS) if known is None else known, ASKS.get)


def test_what_is_asked_for_through_others_is_needed_too() -> None:
    assert of(Requirement("scikit-learn")).names == ("joblib", "numpy", "scikit-learn")


def test_an_extra_is_followed_only_where_it_is_asked_for() -> None:
    assert of(Requirement("uvicorn")).names == ("click", "h11", "uvicorn")
    assert of(Requirement("uvicorn"), Requirement("uvicorn", ("standard",))).names == (
        "click",
        "h11",
        "httptools",
        "uvicorn",
    )


def test_packages_that_ask_for_each_other_come_to_an_end() -> None:
    assert of(Requirement("loop")).names == ("loop", "pool")
    assert of(Requirement("pool", ("x",))).names == ("h11", "loop", "pool")


def test_what_was_not_installed_for_this_machine_is_not_missed() -> None:
    found = of(Requirement("uvicorn"), known={"uvicorn", "click", "h11"})
    assert (found.names, found.absent) == (("click", "h11", "uvicorn"), ())


def test_what_is_asked_for_everywhere_and_has_no_version_is_told_with_who_asks() -> None:
    assert of(Requirement("scikit-learn"), known={"scikit-learn", "numpy"}).absent == (("joblib", "scikit-learn"),)
    assert of(Requirement("torch")).absent == (("torch", "the model"),)


def test_a_package_of_an_extra_that_is_asked_for_is_missed_in_spite_of_its_marker() -> None:
    found = of(Requirement("uvicorn", ("standard",)), known={"uvicorn", "click", "h11"})
    assert found.absent == (("httptools", "uvicorn"),)


def test_of_what_nobody_can_tell_the_rest_it_is_said() -> None:
    found = needed([Requirement("a")], {"a", "b"}, {"b": ["a"]}.get)
    assert (found.names, found.unread) == (("a",), ("a",))


def test_a_list_is_read_whatever_else_stands_in_it() -> None:
    assert versions(["Zope.Interface==5", "torch==2.6.0+cpu", "half", "==1", "name=="]) == {
        "zope-interface": "5",
        "torch": "2.6.0+cpu",
    }


def test_hashes_are_those_of_just_that_version() -> None:
    pins = hashed([Pin("a", "1"), Pin("b", "2")], {("a", "1"): ("sha256:11", "sha256:00"), ("b", "3"): ("sha256:22",)})
    assert pins == (Pin("a", "1", ("sha256:11", "sha256:00")), Pin("b", "2"))
    assert listing(pins) == "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nb==2\n"
