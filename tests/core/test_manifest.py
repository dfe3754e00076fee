"""Manifests are what clusters take, and never two names of one."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import manifest as m
from headway.core.ids import Digest, is_name
from headway.core.manifest_names import endpoint_name, image_faults, label_faults, label_value, version_name
from headway.core.placement import Placement
from headway.core.routing import Shadow

VERSION = m.Version(endpoint="churn", model="churn", version=3, digest=Digest("ab" * 32), spec='{"version": 3}')
PLAIN = Placement(image="registry.local:5000/churn:3")
FULL = Placement(
    image="registry.local:5000/churn@sha256:" + "0" * 64,
    namespace="risk",
    replicas=3,
    max_replicas=10,
    gpu=1,
    labels={"team": "risk"},
    store_url="s3://models/churn",
    secret="store",
    pull_secret="registry",
    service_account="models",
    gateway="infra/public",
    hostname="churn.example.com",
)
SCHEMAS = ("1.25", "1.28", "1.30", "1.33", "1.35", "1.37")


def all_of(placement: Placement) -> list[m.Manifest]:
    key = m.log_key("churn", "secret", placement)
    return [*m.for_version(VERSION, placement), m.endpoint_service("churn", 3, placement), key]


def pod(placement: Placement) -> dict[str, Any]:
    spec: dict[str, Any] = m.deployment(VERSION, placement)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("cluster", SCHEMAS)
@pytest.mark.parametrize("placement", [PLAIN, FULL], ids=["plain", "full"])
def test_every_manifest_is_valid_in_each_version_of_kubernetes(placement: Placement, cluster: str) -> None:
    import kubernetes_validate  # takes seconds, and each worker collects this file

    for one in all_of(placement):
        kubernetes_validate.validate(one, cluster, strict=True)


def test_the_judge_of_manifests_finds_a_field_that_is_none() -> None:
    import kubernetes_validate

    broken = m.deployment(VERSION, PLAIN)
    broken["spec"]["template"]["spec"]["containers"][0]["imgae"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


def test_selectors_choose_the_pods_of_their_version_and_no_others() -> None:
    made = {one["kind"]: one for one in m.for_version(VERSION, FULL)}
    pods = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    others = m.labels("churn", 4)
    for chosen in (
        made["Deployment"]["spec"]["selector"]["matchLabels"],
        made["Service"]["spec"]["selector"],
        made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        m.endpoint_service("churn", 3, FULL)["spec"]["selector"],
    ):
        assert chosen.items() <= pods.items()
        assert not chosen.items() <= {**pods, **others}.items()


def test_pods_are_found_by_the_label_that_people_type() -> None:
    for one in all_of(FULL):
        assert one["metadata"]["labels"]["app"] == "ml-model"
    assert m.deployment(VERSION, FULL)["spec"]["template"]["metadata"]["labels"]["app"] == "ml-model"


def test_no_capacity_is_lost_in_an_update_and_a_slow_start_is_no_failure() -> None:
    spec = m.deployment(VERSION, PLAIN)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    server = pod(PLAIN)["containers"][0]
    startup = server["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= PLAIN.start_s
    assert spec["progressDeadlineSeconds"] > PLAIN.start_s + spec["minReadySeconds"]
    for probe in ("startupProbe", "readinessProbe"):
        assert server[probe]["httpGet"]["path"] == "/v2/health/ready"
    assert server["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_pod_answers_until_nobody_is_routed_to_it_and_has_time_to_end() -> None:
    sleeps = int(pod(PLAIN)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert sleeps >= 5
    assert pod(PLAIN)["terminationGracePeriodSeconds"] > sleeps + PLAIN.drain_s


def test_the_log_of_a_pod_is_behind_a_key_and_in_no_service() -> None:
    log = pod(FULL)["containers"][1]
    key = next(one for one in log["env"] if one["name"] == "HEADWAY_LOG_KEY")["valueFrom"]["secretKeyRef"]
    made = m.log_key("churn", "secret", FULL)
    assert (key["name"], key["key"] in made["data"]) == (made["metadata"]["name"], True)
    work = next(one for one in log["volumeMounts"] if one["mountPath"] == "/work")
    assert work["readOnly"]
    # It reads predictions, and has no business with the store's credentials or the model's files.
    assert "envFrom" not in log
    ports = {port["name"] for port in log["ports"]}
    for one in all_of(FULL):
        if one["kind"] == "Service":
            assert not {port["targetPort"] for port in one["spec"]["ports"]} & (ports | {m.LOG_PORT})


def test_a_version_that_is_not_logged_hands_out_nothing() -> None:
    silent = msgspec.structs.replace(VERSION, has_log=False)
    spec = m.deployment(silent, PLAIN)["spec"]["template"]["spec"]
    assert [one["name"] for one in spec["containers"]] == ["server"]


@pytest.mark.parametrize("placement", [PLAIN, FULL], ids=["plain", "full"])
def test_no_container_has_more_rights_than_it_needs(placement: Placement) -> None:
    spec = pod(placement)
    assert spec["securityContext"]["runAsNonRoot"] is True
    for one in [*spec.get("initContainers", []), *spec["containers"]]:
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_a_model_comes_from_the_store_only_when_there_is_one_and_the_server_cannot_change_it() -> None:
    assert "initContainers" not in pod(PLAIN)
    fetch, server = pod(FULL)["initContainers"][0], pod(FULL)["containers"][0]
    assert {"name": "HEADWAY_STORE_URL", "value": "s3://models/churn"} in fetch["env"]
    assert {"name": "models", "mountPath": "/models"} in fetch["volumeMounts"]
    assert {"name": "models", "mountPath": "/models", "readOnly": True} in server["volumeMounts"]


def test_another_spec_of_the_same_version_makes_new_pods() -> None:
    other = msgspec.structs.replace(VERSION, spec='{"version": 3, "limits": {}}')
    one, two = (m.deployment(v, PLAIN)["spec"]["template"]["metadata"]["annotations"] for v in (VERSION, other))
    assert one != two


def test_copies_are_the_autoscalers_affair_where_there_is_one() -> None:
    assert m.deployment(VERSION, PLAIN)["spec"]["replicas"] == 2
    assert "replicas" not in m.deployment(VERSION, FULL)["spec"]
    assert m.autoscaler(VERSION, FULL)["spec"]["scaleTargetRef"]["name"] == version_name("churn", 3)


def test_a_route_gives_each_version_its_share() -> None:
    made = m.route("churn", {3: 0.9, 4: 0.1}, FULL)
    backends = made["spec"]["rules"][0]["backendRefs"]
    assert [(b["name"], b["weight"]) for b in backends] == [("churn-v3", 9000), ("churn-v4", 1000)]
    assert made["spec"]["parentRefs"] == [{"name": "public", "namespace": "infra"}]
    assert made["spec"]["hostnames"] == ["churn.example.com"]


def test_a_shadow_gets_copies_at_a_port_of_its_own_whose_answers_are_logged_as_a_shadows() -> None:
    for share, fraction in ((1.0, None), (0.125, {"numerator": 1250, "denominator": 10_000})):
        rule = m.route("churn", {3: 1.0}, FULL, Shadow(version=4, share=share))["spec"]["rules"][0]
        (mirror,) = rule["filters"]
        assert mirror["type"] == "RequestMirror"
        told = mirror["requestMirror"]
        assert told.get("fraction") == fraction
        assert told["backendRef"]["name"] == version_name("churn", 4)
        ports = {port["port"]: port["targetPort"] for port in m.service(VERSION, FULL)["spec"]["ports"]}
        containers = {port["name"]: port["containerPort"] for port in pod(FULL)["containers"][0]["ports"]}
        assert containers[ports[told["backendRef"]["port"]]] == m.COPY_PORT
        assert [(b["name"], b["weight"]) for b in rule["backendRefs"]] == [("churn-v3", 10_000)]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8).filter(any))
def test_weights_are_whole_and_nobody_who_has_a_share_gets_nothing(parts: list[float]) -> None:
    shares = {version: part / sum(parts) for version, part in enumerate(parts)}
    found = m.weights(shares)
    assert sum(found.values()) == m.MOST_WEIGHT
    for version, share in shares.items():
        assert abs(found[version] - share * m.MOST_WEIGHT) <= len(parts)
        assert (found[version] > 0) == (share > 0)


@pytest.mark.parametrize(
    ("placement", "paths"),
    [
        ({"image": "Registry/UPPER:1"}, [("image",)]),
        ({"image": ""}, [("image",)]),
        ({"cpu": "lots", "memory": "12 apples"}, [("cpu",), ("memory",)]),
        ({"replicas": 5, "max_replicas": 2}, [("max-replicas",)]),
        ({"max_replicas": -1}, [("max-replicas",)]),
        ({"start_s": 0}, [("start-s",)]),
        ({"labels": {"app": "mine"}}, [("labels", "app")]),
        ({"namespace": "Team_A"}, [("namespace",)]),
        ({"namespace": "a.b"}, [("namespace",)]),
        ({"namespace": "a" * 64}, [("namespace",)]),
        ({"secret": "store credentials", "pull_secret": "-x"}, [("secret",), ("pull-secret",)]),
        ({"service_account": "models/churn"}, [("service-account",)]),
        ({"gateway": "Public"}, [("gateway",)]),
        ({"gateway": "infra/"}, [("gateway",)]),
        ({"gateway": "in.fra/public"}, [("gateway",)]),
        ({"gateway": "/public"}, [("gateway",)]),
        ({"hostname": "https://churn.example.com"}, [("hostname",)]),
    ],
)
def test_a_placement_that_no_cluster_takes_is_named_before_it_is_sent(
    placement: dict[str, Any], paths: list[tuple[str, ...]]
) -> None:
    assert [fault.path for fault in m.faults(Placement(**{"image": "a:1", **placement}))] == paths
    assert not m.faults(FULL)


@pytest.mark.parametrize(
    "placement",
    [
        {"namespace": "a" * 63, "secret": "store.eu-1", "gateway": "public.eu", "hostname": "*.example.com"},
        {"namespace": "2026", "gateway": "infra/public", "service_account": "a" * 253},
    ],
)
def test_names_that_clusters_take_are_taken(placement: dict[str, Any]) -> None:
    assert not m.faults(Placement(image="a:1", **placement))


# --- names ----------------------------------------------------------------------------------------------------------

DNS = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
names = st.text("abzABZ019-_.", min_size=1, max_size=90).filter(is_name)


@given(names, st.integers(1, 999_999_999))
def test_names_are_those_of_services_and_leave_room_for_the_pods(name: str, version: int) -> None:
    made = version_name(name, version)
    assert DNS.fullmatch(made)
    assert len(f"{made}-0123456789-abcde") <= 63


@given(names, names, st.integers(1, 99), st.integers(1, 99))
def test_two_endpoints_or_versions_never_share_a_name(one: str, two: str, first: int, second: int) -> None:
    if one != two:
        assert endpoint_name(one) != endpoint_name(two)
    if (one, first) != (two, second):
        assert version_name(one, first) != version_name(two, second)
    assert version_name(one, first) != endpoint_name(two)


@pytest.mark.parametrize(("one", "two"), [("a_b", "a.b"), ("A", "a"), ("a" * 80, "a" * 81), ("churn-v3", "churn")])
def test_names_that_look_alike_stay_apart(one: str, two: str) -> None:
    assert len({endpoint_name(one), endpoint_name(two), version_name(two, 3), version_name(one, 3)}) == 4


@given(st.text(max_size=200))
def test_any_text_makes_a_label(text: str) -> None:
    made = label_value(text)
    assert VALUE.fullmatch(made)
    assert len(made) <= 63
    assert not label_faults({"x": made})


@pytest.mark.parametrize("image", ["web", "web:1", "a/b-c/d_e:v1.2", "localhost:5000/x@sha256:" + "f" * 64])
def test_names_of_images_are_taken(image: str) -> None:
    assert not image_faults(image)
