"""Manifests as text: read back as they were by every reader, and a user's own file changed only where it must be."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headway.codec.manifests import read, text
from headway.codec.manifests_own import patched
from headway.core import manifest as m
from headway.core.ids import Digest
from headway.core.placement import Placement
from headway.errors import FileFaulty

VERSION = m.Version(
    endpoint="churn", model="churn", version=3, digest=Digest("1e" * 32), spec='{\n  "model": "churn"\n}\n'
)
PLACEMENT = Placement(image="web:1", store_url="s3://b", labels={"team": "no"}, max_replicas=4)

plain = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30)
values = st.recursive(
    plain, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=12), v, max_size=3), max_leaves=12
)


@given(st.dictionaries(st.text(min_size=1, max_size=12).filter(lambda k: k != "<<"), values, min_size=1, max_size=4))
def test_what_is_written_is_read_back_by_yaml_of_both_versions(value: dict[str, Any]) -> None:
    if "\0" in repr(value) or "\\x00" in repr(value) or "<<" in repr(value):
        return
    written = text([value])
    assert yaml.safe_load(written) == value
    assert read(written.encode(), "x.yaml") == [value]


def test_manifests_are_read_back_as_they_were_and_the_same_each_time() -> None:
    made = [*m.for_version(VERSION, PLACEMENT), m.endpoint_service("churn", 3, PLACEMENT)]
    written = text(made)
    assert read(written.encode(), "x") == made == list(yaml.safe_load_all(written))
    assert written == text([*m.for_version(VERSION, PLACEMENT), m.endpoint_service("churn", 3, PLACEMENT)])
    # A block, as people write it; and a label that YAML 1.1 takes for a truth value.
    assert '  version.json: |\n    {\n      "model": "churn"\n    }\n' in written
    assert '    team: "no"\n' in written


OWN = """\
# Our service.
apiVersion: v1
kind: Service
metadata: {name: web}
---
# The model: ask #team-risk before touching it.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: model          # the seed's name
  labels:
    app: ml-model
spec:
  replicas: 2
  selector: {matchLabels: {app: ml-model}}
  template:
    metadata:
      labels: {app: ml-model, tier: 'gold'}
    spec:
      containers:
        - name: sidecar
          image: "proxy:9"
        - name: server
          image: 'web:1'     # set by CI
          env:
            - {name: HEADWAY_MODEL_VERSION, value: "m@1"}
            - {name: OTHER, value: "on"}
"""
LABELS = {"headway.dev/model": "m", "headway.dev/version": "2"}


def test_only_image_version_and_labels_of_a_users_own_file_change() -> None:
    made = patched(OWN, "own.yaml", image="web:2", version="m@2", labels=LABELS)
    expected = (
        OWN.replace("'web:1'", "'web:2'")
        .replace('"m@1"', '"m@2"')
        .replace(
            "    app: ml-model\nspec", '    headway.dev/model: m\n    headway.dev/version: "2"\n    app: ml-model\nspec'
        )
        .replace("labels: {app", 'labels: {headway.dev/model: m, headway.dev/version: "2", app')
    )
    assert made == expected
    import kubernetes_validate  # takes seconds, and each worker collects this file

    kubernetes_validate.validate(read(made.encode(), "own.yaml")[1], "1.33", strict=True)


def test_a_second_time_changes_the_same_places() -> None:
    once = patched(OWN, "own.yaml", image="web:2", version="m@2", labels=LABELS)
    again = patched(once, "own.yaml", image="web:3", version="m@3", labels={**LABELS, "headway.dev/version": "3"})
    assert again == once.replace("web:2", "web:3").replace("m@2", "m@3").replace('version: "2"', 'version: "3"')
    assert patched(again, "own.yaml", image="web:2", version="m@2", labels=LABELS) == once


@pytest.mark.parametrize(
    "own",
    [
        OWN.replace("\n", "\r\n"),
        OWN.replace("  labels:\n    app: ml-model\n", ""),
        OWN.replace("  labels:\n    app: ml-model\n", "  labels: {}\n"),
        OWN.replace("          image: 'web:1'     # set by CI\n", ""),
        OWN.replace("  labels:\n    app: ml-model\n", "  labels: &ours\n    app: ml-model\n").replace(
            "labels: {app: ml-model, tier: 'gold'}", "labels: *ours"
        ),
        OWN.replace("# Our", "# Gr\u00fc\u00dfe \U0001f600: our"),
        OWN.rstrip("\n"),
        OWN.replace("    app: ml-model\nspec", "spec"),
        OWN.replace("labels:\n    app: ml-model\n", "labels: ~\n"),
        OWN.replace("'web:1'     # set by CI", ""),
        OWN.replace("'web:1'     # set by CI", ">-\n            web:1"),
        OWN.replace('value: "m@1"', "value: "),
        yaml.safe_dump_all(yaml.safe_load_all(OWN), default_flow_style=True),
        yaml.safe_dump_all(yaml.safe_load_all(OWN)),
    ],
    ids=[
        "crlf",
        "no-labels",
        "empty-labels",
        "no-image",
        "alias",
        "unicode",
        "no-newline",
        "null-labels",
        "tilde-labels",
        "null-image",
        "block-image",
        "null-version",
        "flow",
        "dumped",
    ],
)
def test_however_it_is_written_the_deployment_means_what_it_should(own: str) -> None:
    made = list(yaml.safe_load_all(patched(own, "own.yaml", image="web:2", version="m@2", labels=LABELS)))
    expected = list(yaml.safe_load_all(own))
    deployment = expected[1]
    pod = deployment["spec"]["template"]
    pod["metadata"]["labels"] = {**pod["metadata"]["labels"], **LABELS}
    deployment["metadata"]["labels"] = {**(deployment["metadata"].get("labels") or {}), **LABELS}
    server = pod["spec"]["containers"][1]
    server["image"] = "web:2"
    server["env"][0]["value"] = "m@2"
    assert made == expected


def test_an_alias_of_a_value_that_changes_still_leads_to_it() -> None:
    own = OWN.replace("image: 'web:1'", "image: &web 'web:1'").replace('value: "on"', "value: *web")
    made = list(yaml.safe_load_all(patched(own, "own.yaml", image="web:2", version="m@2", labels=LABELS)))
    server = made[1]["spec"]["template"]["spec"]["containers"][1]
    assert (server["image"], server["env"][1]["value"]) == ("web:2", "web:2")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("kind: Service\n", "it has 0 Deployments"),
        (OWN + "---\nkind: Deployment\n", "it has 2 Deployments"),
        ("kind: Deployment\nmetadata: {name: m}\n", "its Deployment has no spec.template.metadata:"),
        ("kind: Deployment\nspec: [\n", "not YAML"),
        (OWN.replace("{app: ml-model, tier: 'gold'}", "[a]"), r"has no spec.template.metadata.labels: of names"),
    ],
)
def test_a_file_that_cannot_be_changed_is_named_with_its_place(own: str, words: str) -> None:
    with pytest.raises(FileFaulty, match=words):
        patched(own, "own.yaml", image="web:2", version="m@2", labels=LABELS)


def test_a_fault_is_placed_in_the_whole_file() -> None:
    with pytest.raises(FileFaulty) as e:
        read(b"a: 1\n---\nb: 2\nc: [\n", "x.yaml")
    assert e.value.at in ("x.yaml:4", "x.yaml:5")
