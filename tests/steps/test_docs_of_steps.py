"""What `docs/add-a-step.md` shows works as it stands, brought by an installed package."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

from headway import formats
from headway.errors import FileFaulty, NameUnknown
from headway.steps import Bench, Usable, find, known
from headway.testing.bench import Trial

PAGE = Path(__file__).parents[2] / "docs" / "add-a-step.md"


def blocks(language: str) -> list[str]:
    return [part.partition("```")[0] for part in PAGE.read_text().split(f"```{language}\n")[1:]]


def install(folder: Path, module: str, text: str, entry: str) -> None:
    """Put a package there as pip would."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[headway.steps]\n{entry}\n")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_step_of_the_page_passes_the_test_of_the_page(packages: Path, tmp_path: Path) -> None:
    step, test = blocks("python")
    install(packages, "docs_enough_rows", step, "enough-rows = docs_enough_rows")
    # Any: the names that the page's own test defines.
    names: dict[str, Any] = {}
    exec(test, names)
    names["test_too_few_rows_are_invalid_data"](tmp_path)
    with pytest.raises(FileFaulty):
        Trial(str(tmp_path)).run("enough-rows", {"data": "x.csv", "at-least": 0})


def test_a_pipeline_may_use_what_a_package_offers(packages: Path) -> None:
    install(packages, "docs_usable", "x = 1\n", "usable = docs_usable")
    assert "usable" in Usable()
    assert "register" in Usable()
    assert "nothing" not in Usable()
    assert tuple(Usable()) == known()


def test_a_package_without_a_class_step_is_refused(packages: Path) -> None:
    install(packages, "docs_no_step", "x = 1\n", "no-step = docs_no_step")
    with pytest.raises(NameUnknown, match="no class `Step`"):
        find("no-step")


def test_a_built_in_name_wins_over_an_offered_one(packages: Path) -> None:
    install(packages, "docs_register", "x = 1\n", "register = docs_register")
    assert find("register").__module__ == "headway.steps.register"


def test_the_page_names_all_that_is_on_the_bench() -> None:
    page = PAGE.read_text()
    offered = {name for name in vars(Bench) if not name.startswith("_")} - {
        "folder",
        "run_id",
        "step_id",
        "now",
        "detect",
    }
    assert [name for name in sorted(offered) if f"bench.{name}" not in page] == []


@pytest.mark.parametrize("name", known())
def test_the_list_of_step_types_has_each_with_its_keys_as_the_code_has_them(name: str) -> None:
    page = (PAGE.parent / "steps.md").read_text()
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    info = inspect.type_info(find(name))
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        needed = "required" if field.required else "optional"
        assert f"| `{field.encode_name}` | {needed} | " in section
        if isinstance(field.type, inspect.Metadata) and field.type.extra_json_schema:
            assert field.type.extra_json_schema["description"] in section


def test_the_page_of_models_names_each_format() -> None:
    page = (PAGE.parent / "models.md").read_text()
    assert [name for name in formats.known() if f"| `{name}` |" not in page] == []
