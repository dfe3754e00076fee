"""Lists are sorted as their address says, for people and for programs alike, and their heads lead to each way."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from headway import wiring
from headway.web import page_data, page_models, page_monitors, page_releases
from headway.web.sorting import By
from web_world import AT, Visitor, served, streams, write


@pytest.fixture(scope="module")
def visitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Two of everything that is listed: those whose names come first are newer and have more, but no more alarms."""
    settings = write(tmp_path_factory.mktemp("project"))
    told = streams()
    registered, data = told["model/m"][0], told["dataset/training"][0]
    began, closed = told["monitor/live"][:2]
    with wiring.open(settings) as parts:
        for n in (1, 2, 3):
            fact = msgspec.structs.replace(registered, model="a", version=n)
            parts.log.append("model/a", [fact], expect=n - 1, at=AT + 3600 + n)
        artifact = msgspec.structs.replace(data.artifact, path="z.csv", size_bytes=5)  # type: ignore[union-attr] # such
        fact = msgspec.structs.replace(data, dataset="answers", version=1, artifact=artifact)
        parts.log.append("dataset/answers", [fact], expect=0, at=AT + 3600)
        facts = [msgspec.structs.replace(began, monitor="after", model="a", endpoint="z")]
        facts += [
            msgspec.structs.replace(closed, monitor="after", number=n, until=AT + 4000 + n, readings=()) for n in (1, 2)
        ]
        parts.log.append("monitor/after", facts, expect=0, at=AT + 5000)
        facts = [msgspec.structs.replace(began, monitor="never", model="n", endpoint="y")]
        parts.log.append("monitor/never", facts, expect=0, at=AT + 5000)
    with served(settings) as found:
        found.enter()
        yield found


def listed(visitor: Visitor, path: str, kept: str, name: str) -> list[str]:
    page: Any = visitor.json(f"/api/v1{path}")
    return [row[name] for row in page[kept]]


@pytest.mark.parametrize(
    ("sort", "names"),
    [("", "am"), ("model", "am"), ("-model", "ma"), ("newest", "ma"), ("-versions", "am"), ("registered", "ma"),
     ("colour", "am")],
)  # fmt: skip
def test_models_are_sorted(visitor: Visitor, sort: str, names: str) -> None:
    assert listed(visitor, f"/models?sort={sort}", "models", "name") == list(names)


@pytest.mark.parametrize(
    ("sort", "first"),
    [("", "answers"), ("-dataset", "training"), ("newest", "answers"), ("-versions", "training"), ("path", "training"),
     ("size", "answers"), ("-size", "training"), ("taken", "training")],
)  # fmt: skip
def test_data_are_sorted(visitor: Visitor, sort: str, first: str) -> None:
    assert listed(visitor, f"/data?sort={sort}", "rows", "name")[0] == first


@pytest.mark.parametrize(
    ("sort", "names"),
    [("", "after live never"), ("-monitor", "never live after"), ("-state", "never live after"),
     ("watches", "live never after"), ("windows", "never live after"), ("-last", "after live never"),
     ("last", "never live after"), ("-alarms", "live after never")],
)  # fmt: skip
def test_monitors_are_sorted(visitor: Visitor, sort: str, names: str) -> None:
    assert listed(visitor, f"/monitors?sort={sort}", "rows", "name") == names.split()


LISTS = [
    ("/models", page_models.SORTS),
    ("/data", page_data.SORTS),
    ("/monitors", page_monitors.SORTS),
    ("/releases", page_releases.SORTS),
]


@pytest.mark.parametrize(("path", "sorts"), LISTS, ids=[path for path, _ in LISTS])
def test_each_way_has_a_head_that_leads_there_and_says_which_it_is(
    visitor: Visitor, path: str, sorts: dict[str, By]
) -> None:
    _, text = visitor.page(path)
    assert re.findall(r'href="\?sort=([\w-]+)', text) == list(sorts)
    assert "aria-sort" not in text
    for name in sorts:
        _, up = visitor.page(f"{path}?sort={name}")
        assert (up.count("aria-sort"), up.count('aria-sort="ascending"')) == (1, 1)
        assert f'href="?sort=-{name}' in up
        _, down = visitor.page(f"{path}?sort=-{name}")
        assert (down.count("aria-sort"), down.count('aria-sort="descending"')) == (1, 1)
        assert f'href="?sort={name}' in down


@pytest.mark.parametrize(("path", "sorts"), LISTS, ids=[path for path, _ in LISTS])
def test_the_document_of_the_api_names_each_way(visitor: Visitor, path: str, sorts: dict[str, By]) -> None:
    found = visitor.json("/api/v1/openapi.json")["paths"][f"/api/v1{path}"]["get"]["parameters"]
    (said,) = (one["description"] for one in found if one["name"] == "sort")
    assert all(name in said for name in sorts)
