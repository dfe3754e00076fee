"""The settings: where they come from, which wins, and every fault of headway.toml at once."""

import os
from pathlib import Path

import pytest

from headway import config, wiring
from headway.errors import FileFaulty, FileMissing, UsageMistaken


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings."""
    for name in [name for name in config.load().environ if name.startswith("HEADWAY_")]:
        monkeypatch.delenv(name)


def loaded(folder: Path, toml: str | bytes | None = None) -> config.Settings:
    """The settings of a folder with this headway.toml."""
    if toml is not None:
        (folder / "headway.toml").write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return config.load(folder=str(folder))


# --- which wins -------------------------------------------------------------------------------------------------


def test_without_a_file_everything_is_embedded(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    assert settings.folder == str(tmp_path)
    assert settings.home == f"{tmp_path}/.headway"
    assert settings.log_url == f"sqlite:{tmp_path}/.headway/log.sqlite"
    assert settings.store_url == f"file:{tmp_path}/.headway/blobs"
    assert settings.jobs == len(os.sched_getaffinity(0))
    assert settings.debug is False


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    assert loaded(tmp_path, "") == before


def test_the_file_goes_before_the_default(tmp_path: Path) -> None:
    toml = '[log]\nurl = "sqlite:facts.db"\n[store]\nurl = "file:/srv/blobs"\n[run]\njobs = 3\n'
    settings = loaded(tmp_path, toml)
    assert settings.log_url == f"sqlite:{tmp_path}/facts.db"
    assert settings.store_url == "file:/srv/blobs"
    assert settings.jobs == 3


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_LOG_URL", "sqlite:other.db")
    monkeypatch.setenv("HEADWAY_STORE_URL", "file:other")
    monkeypatch.setenv("HEADWAY_JOBS", "5")
    settings = loaded(tmp_path, '[log]\nurl = "sqlite:facts.db"\n[run]\njobs = 3\n')
    assert settings.log_url == f"sqlite:{tmp_path}/other.db"
    assert settings.store_url == f"file:{tmp_path}/other"
    assert settings.jobs == 5


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = loaded(tmp_path)
    for name in ("HEADWAY_LOG_URL", "HEADWAY_STORE_URL", "HEADWAY_JOBS", "HEADWAY_DEBUG"):
        monkeypatch.setenv(name, "")
    after = loaded(tmp_path)
    assert (after.log_url, after.store_url, after.jobs, after.debug) == (
        before.log_url, before.store_url, before.jobs, before.debug,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "²", " 2"])
def test_a_number_of_jobs_that_cannot_be_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_JOBS", text)
    with pytest.raises(UsageMistaken) as caught:
        loaded(tmp_path)
    assert caught.value.at == "HEADWAY_JOBS"


@pytest.mark.parametrize(("text", "debug"), [("1", True), ("yes", True), ("0", False)])
def test_debug_is_asked_for_in_the_environment(
    text: str, debug: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWAY_DEBUG", text)
    assert loaded(tmp_path).debug is debug


@pytest.mark.parametrize(
    ("text", "names"),
    [("", None), ('[release]\noverride = ["alice", "bob"]\n', ("alice", "bob")), ("[release]\noverride = []\n", ())],
)
def test_who_may_override_is_named_nobody_or_not_said(text: str, names: tuple[str, ...] | None, tmp_path: Path) -> None:
    settings = loaded(tmp_path, text)
    assert settings.may_override == names
    with wiring.open(settings) as parts:
        assert parts.delivery(by="ann").may_override == names


URLS = {
    "sqlite:log.db": "sqlite:ROOT/log.db",
    "sqlite:../log.db": "sqlite:ROOT/../log.db",
    "sqlite:/var/log.db": "sqlite:/var/log.db",
    "file:///srv/blobs": "file:///srv/blobs",
    "postgresql://user@host/db": "postgresql://user@host/db",
    "memory:": "memory:",
    "nonsense": "nonsense",
}


@pytest.mark.parametrize(("written", "url"), URLS.items(), ids=URLS.keys())
def test_a_relative_path_counts_from_the_project(written: str, url: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, f'[log]\nurl = "{written}"\n').log_url == url.replace("ROOT", str(tmp_path))


# --- where the project is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["pipeline.yaml", "headway.toml", ".headway"])
def test_the_project_is_the_nearest_folder_above_with_a_mark(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / mark).touch()
    monkeypatch.chdir(below)
    assert config.load().folder == str(tmp_path)
    (tmp_path / "a" / "pipeline.yaml").touch()
    assert config.load().folder == str(tmp_path / "a")


def test_without_any_mark_the_project_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config.load().folder == str(tmp_path)


def test_a_folder_that_is_named_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pipeline.yaml").touch()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    assert config.load(folder="below").folder == str(tmp_path / "below")


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_a_folder_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileMissing, match="there is no folder"):
        config.load(folder=str(tmp_path / name))


# --- faults -----------------------------------------------------------------------------------------------------


def test_all_faults_are_told_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    toml = '[log]\nulr = "x"\n[store]\nurl = 3\n[run]\njobs = "many"\n[sotre]\n'
    with pytest.raises(FileFaulty) as caught:
        loaded(tmp_path, toml)
    assert caught.value.problem == "headway.toml has 4 faults"
    told = {fault.where: (fault.problem, fault.remedy) for fault in caught.value.faults}
    assert told["log.ulr"] == ("the key `ulr` is not known here", "did you mean `url`?")
    assert told["store.url"][0] == "`url` must be a text, not the number 3"
    assert told["run.jobs"][0] == "`jobs` must be a whole number, not the text `many`"
    assert told["sotre"][0] == "the key `sotre` is not known here"


@pytest.mark.parametrize("jobs", [0, -3])
def test_a_number_of_jobs_below_one_is_a_fault_beside_others(jobs: int, tmp_path: Path) -> None:
    with pytest.raises(FileFaulty) as caught:
        loaded(tmp_path, f"[run]\njobs = {jobs}\n[logs]\n")
    told = [(fault.where, fault.line, fault.column, fault.excerpt) for fault in caught.value.faults]
    assert told == [("run.jobs", 2, 1, f"jobs = {jobs}"), ("logs", 3, 1, "[logs]")]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (b"[log\n", "headway.toml:1:5"),
        (b"a = 1\na = 2\n", "headway.toml:2:6"),
        (b"\xff", "headway.toml:1:1"),
    ],
    ids=["syntax", "twice", "no text"],
)
def test_what_is_no_toml_is_refused_with_its_place(toml: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(FileFaulty, match=problem):
        loaded(tmp_path, toml)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "headway.toml").mkdir()
    with pytest.raises(FileFaulty, match="is a folder"):
        loaded(tmp_path)


def test_a_mark_of_the_encoding_does_no_harm(tmp_path: Path) -> None:
    assert loaded(tmp_path, b"\xef\xbb\xbf[run]\njobs = 2\n").jobs == 2


def test_keys_of_ones_own_are_free(tmp_path: Path) -> None:
    assert loaded(tmp_path, "[x-team]\nname = 'ours'\n[run]\njobs = 2\n").jobs == 2


# --- the remote -------------------------------------------------------------------------------------------------

REMOTES = {
    "a bucket": ("s3://team/churn", "s3://team/churn"),
    "a folder": ("file:///srv/store", "bucket:/srv/store"),
    "a folder, short": ("file:/srv/store", "bucket:/srv/store"),
    "beside the project": ("file:../store", "bucket:{above}/store"),
    "in its own form": ("bucket:/srv/store", "bucket:/srv/store"),
}


@pytest.mark.parametrize(("written", "read"), REMOTES.values(), ids=REMOTES)
def test_a_remote_is_read_as_back_ends_know_it(written: str, read: str, tmp_path: Path) -> None:
    assert loaded(tmp_path, f'[remote]\nurl = "{written}"\n').remote_url == read.format(above=tmp_path.parent)


def test_without_a_remote_there_is_none(tmp_path: Path) -> None:
    assert loaded(tmp_path).remote_url == ""


def test_the_server_of_a_remote_reaches_its_back_end_as_variables(tmp_path: Path) -> None:
    toml = '[remote]\nurl = "s3://a/b"\nendpoint = "http://127.0.0.1:9"\nregion = "eu-1"\nallow-http = true\n'
    settings = loaded(tmp_path, toml)
    names = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ALLOW_HTTP")
    assert [settings.remote_environ[name] for name in names] == ["http://127.0.0.1:9", "eu-1", "true"]
    assert settings.store_environ == settings.environ
    assert loaded(tmp_path, toml.replace("remote", "store")).store_environ == settings.remote_environ


def test_the_usual_variables_go_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = '[remote]\nurl = "s3://a/b"\nendpoint = "http://127.0.0.1:9"\nregion = "eu-1"\n'
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:10")
    monkeypatch.setenv("AWS_REGION", "us-9")
    settings = loaded(tmp_path, toml)
    assert "AWS_ENDPOINT_URL" not in settings.remote_environ
    assert settings.remote_environ["AWS_REGION"] == "us-9"


def test_variables_of_a_remote_go_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_REMOTE_URL", "gs://c/d")
    monkeypatch.setenv("HEADWAY_REMOTE_ENDPOINT", "http://127.0.0.1:11")
    monkeypatch.setenv("HEADWAY_REMOTE_REGION", "here")
    monkeypatch.setenv("HEADWAY_REMOTE_ALLOW_HTTP", "false")
    settings = loaded(tmp_path, '[remote]\nurl = "s3://a/b"\nallow-http = true\n')
    assert settings.remote_url == "gs://c/d"
    assert settings.remote_environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:11"
    assert settings.remote_environ["AWS_REGION"] == "here"
    assert "AWS_ALLOW_HTTP" not in settings.remote_environ


@pytest.mark.parametrize("url", ["/srv/store", "s3://", "file:", "file://host/x"])
def test_a_remote_that_is_no_place_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageMistaken) as caught:
        loaded(tmp_path, f'[remote]\nurl = "{url}"\n')
    assert caught.value.at == "remote.url"


def test_links_are_asked_of_a_store_in_a_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loaded(tmp_path, '[store]\nlinks = "hard"\n').store_url == f"file:{tmp_path}/.headway/blobs?links=hard"
    assert loaded(tmp_path, '[store]\nlinks = "hard"\nurl = "s3://a/b"\n').store_url == "s3://a/b"
    monkeypatch.setenv("HEADWAY_STORE_LINKS", "copy")
    assert loaded(tmp_path, '[store]\nlinks = "hard"\n').store_url == f"file:{tmp_path}/.headway/blobs"
    monkeypatch.setenv("HEADWAY_STORE_LINKS", "soft")
    with pytest.raises(UsageMistaken):
        loaded(tmp_path)
    monkeypatch.delenv("HEADWAY_STORE_LINKS")
    with pytest.raises(FileFaulty):
        loaded(tmp_path, '[store]\nlinks = "soft"\n')


def test_a_log_in_a_database_is_shared_and_has_no_password_in_the_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[log]\nurl = "postgres://ann@db/shop?schema=churn"\n')
    assert settings.log_url == "postgresql://ann@db/shop?schema=churn"
    assert settings.is_log_shared
    assert not loaded(tmp_path, "").is_log_shared
    with pytest.raises(FileFaulty) as faulty:
        loaded(tmp_path, '[log]\nurl = "postgresql://ann:hunter2@db/shop"\n')
    assert [fault.problem for fault in faulty.value.faults] == ["`url` has a password in it"]
    assert "hunter2" not in str(faulty.value) + "".join(fault.excerpt for fault in faulty.value.faults)


# --- signing in with a provider ---------------------------------------------------------------------------------

OIDC = """
[web]
url = "https://headway.example.com/"
[web.oidc]
issuer = "https://id.example.com"
client-id = "headway"
roles-claim = "groups"
[web.oidc.roles]
admin = ["ml-admins"]
"""


def test_a_provider_is_read_with_what_is_usual(tmp_path: Path) -> None:
    read = loaded(tmp_path, OIDC).web_oidc
    assert read is not None
    assert (read.issuer, read.scopes, read.roles.admin) == (
        "https://id.example.com", ("openid", "profile", "email"), ("ml-admins",),
    )  # fmt: skip
    assert read.default_role is None
    assert loaded(tmp_path, "").web_oidc is None


def test_faults_of_a_provider_are_told_at_their_places(tmp_path: Path) -> None:
    text = OIDC.replace('url = "https://headway.example.com/"', "").replace("https://id", "http://id")
    with pytest.raises(FileFaulty) as told:
        loaded(tmp_path, text)
    assert [(one.where, one.line) for one in told.value.faults] == [("web.oidc", 4), ("web.oidc.issuer", 5)]


@pytest.mark.parametrize(
    "line", ['client-secret = "p4ss"', "client-secret-env = 'p4ss word'", '"client-secret" = "p4ss"']
)
def test_a_secret_in_the_file_is_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(FileFaulty) as told:
        loaded(tmp_path, OIDC.replace('client-id = "headway"', f'client-id = "headway"\n{line}'))
    (fault,) = told.value.faults
    assert "client-secret-env" in fault.remedy or "the variable's name" in fault.remedy
    assert "p4ss" not in fault.excerpt + fault.problem + fault.remedy
