"""The Containerfile: what it holds, in which order, and that the same values give the same text."""

import re

import pytest
from msgspec.structs import replace

from headway.core.ids import Digest
from headway.core.image import Image, base_of, containerfile, ignored
from headway.core.manifest import SPEC

IMAGE = Image(
    name="churn@3",
    digest=Digest("d" * 64),
    format="sklearn",
    base="python:3.11.7-slim",
    headway="0.1.0",
    wheel="headway-0.1.0-py3-none-any.whl",
    has_hashed=True,
    has_pinned=True,
)


def stages(image: Image) -> list[str]:
    return re.split(r"^FROM ", containerfile(image), flags=re.MULTILINE)[1:]


def at(text: str, *words: str) -> list[int]:
    assert all(word in text for word in words), text
    return [text.index(word) for word in words]


def test_what_changes_seldom_comes_first_and_the_model_last() -> None:
    _, environment, kept = stages(replace(IMAGE, holds_model=True))
    order = at(
        environment,
        "venv",
        "hashed.txt",
        "--require-hashes",
        "-r /tmp/environment/pinned.txt",
        IMAGE.wheel,
        "image-check",
    )
    assert order == sorted(order)
    order = at(kept, "/work", "--from=environment", "COPY models", "USER 10001:10001", "WORKDIR")
    assert order == sorted(order)


def test_nothing_is_left_to_an_installer_to_choose_or_keep() -> None:
    text = containerfile(IMAGE)
    installs = re.findall(r"pip install .*", text)
    assert len(installs) == 3
    assert all("--no-deps" in one for one in installs)
    assert "PIP_NO_CACHE_DIR=1" in text


def test_a_list_that_is_empty_is_not_installed() -> None:
    text = containerfile(replace(IMAGE, has_hashed=False))
    assert "hashed" not in text
    assert "pinned.txt" not in containerfile(replace(IMAGE, has_pinned=False))


def test_the_settings_of_pip_are_a_secret_of_the_build_and_never_a_layer() -> None:
    text = containerfile(IMAGE)
    assert text.count("--mount=type=secret,id=pip,target=/etc/pip.conf") == 2
    assert not re.search(r"^(COPY|ADD).*pip\.conf", text, re.MULTILINE)


def test_an_image_for_a_store_holds_no_model_and_is_proven_with_it_all_the_same() -> None:
    _, environment, kept = stages(IMAGE)
    assert "source=models" in environment
    assert "models" not in kept
    assert f"COPY version.json {SPEC}" not in kept
    _, _, kept = stages(replace(IMAGE, holds_model=True))
    assert f"COPY version.json {SPEC}\nCOPY models /models\n" in kept


def test_a_library_of_the_system_is_installed_for_a_format_that_takes_it_for_granted() -> None:
    base, *_ = stages(replace(IMAGE, format="lightgbm"))
    assert "libgomp1" in base
    assert "rm -rf /var/lib/apt/lists" in base
    assert "apt-get" not in containerfile(IMAGE)


def test_nothing_but_what_is_read_reaches_the_build() -> None:
    assert ignored(IMAGE).splitlines() == [
        "*", "!Containerfile", "!hashed.txt", "!pinned.txt", f"!{IMAGE.wheel}", "!version.json", "!models",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("python", "base"),
    [
        ("3.11.7 /srv/env/bin/python", "3.11.7"),
        ("3.12 /usr/bin/python3", "3.12"),
        ("3 /usr/bin/python3", "3.13.1"),
        ("pypy3.10 /opt/pypy", "3.13.1"),
        ("", "3.13.1"),
    ],
)
def test_the_base_has_the_python_that_made_the_version(python: str, base: str) -> None:
    assert base_of(python, "3.13.1") == f"docker.io/library/python:{base}-slim"
