"""Promise: 10,000 small files go to S3 15 x and come back 10 x faster than with DVC; 1 GiB at 80 % of a plain client.

The bucket is SeaweedFS on loopback. What is pulled is pulled into a fresh clone of the project's repository, as a
colleague does it, and compared byte by byte. The plain clients put one file in parts and get it again: they know no
versions, look for nothing that is there already, and verify nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import environments
from harness import Contender, Size, Stage, options, take_turns
from projects.tool import Command, Tool
from report import Promise, Sample, Series
from store_bucket import REQUIREMENTS, Bucket, running
from store_data import FILE_BYTES, Files, is_same, write_large
from store_files import faster, memory
from store_peers import DVC, HEADWAY, Keeper, chosen
from store_projects import Project, SetUpFailed, checked, projects

PUSH = "push of 10,000 files"
PULL = "pull of 10,000 files"
PUSH_LARGE = "push of 1 GiB"
PULL_LARGE = "pull of 1 GiB"
WORKER = str(Path(__file__).resolve().parent / "bucket_worker.py")
#: For these many files the large one has 1 GiB; with fewer it is smaller, too.
N_FILES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """How a tool sends to a bucket and gets from it; `{url}` and `{endpoint}` stand for the remote."""

    keeper: Keeper
    push: Command
    pull: Command
    #: What tells the project of its remote; not measured.
    ready: tuple[Command, ...] = ()
    is_client: bool = False


def client(name: str, requirement: str) -> Sender:
    """A plain client, which keeps nothing: it puts the file itself."""
    keeper = Keeper(name=name, tool=Tool(name=name, requirements=(requirement,)))
    words = ("python", WORKER, name)
    return Sender(
        keeper=keeper, push=(*words, "put", "{path}", "{url}"), pull=(*words, "get", "{path}", "{url}"), is_client=True
    )


SENDERS = (
    Sender(
        # In an environment with the extra that a bucket needs.
        keeper=replace(HEADWAY, tool=replace(HEADWAY.tool, name="headway[remote]")),
        push=("headway", "push", "--remote", "{url}"),
        pull=("headway", "pull", "--remote", "{url}"),
    ),
    Sender(
        keeper=replace(DVC, tool=replace(DVC.tool, name="dvc-s3", requirements=("dvc[s3]==3.67.1",))),
        ready=(
            ("dvc", "remote", "add", "-q", "-f", "-d", "bench", "{url}"),
            ("dvc", "remote", "modify", "bench", "endpointurl", "{endpoint}"),
        ),
        push=("dvc", "push", "-q"),
        pull=("dvc", "pull", "-q"),
    ),
    client("boto3", "boto3==1.44.8"),
    client("obstore", "obstore==0.12.1"),
)


def main() -> int:
    promise = __doc__ or ""
    size = Size(name="files", default=N_FILES, help="files of 4 KiB; one file has as many times 105 KiB")
    stage = Stage(name="store_remote", promise=promise, options=options(promise, n=3, size=size))
    scratch = stage.scratch()
    names = {keeper.name for keeper in chosen(stage.options, [one.keeper for one in SENDERS])}
    wanted = [one for one in SENDERS if one.keeper.name in names]
    try:
        server = environments.peer(stage.options.cache, "seaweedfs", REQUIREMENTS)
        # Environments first: what an installer deletes is in the way of what is measured, too.
        found = projects(stage, [one.keeper for one in wanted], scratch / "work")
        ready = [(one, found[one.keeper.name]) for one in wanted if one.keeper.name in found]
        with stage.aside(scratch) as aside, running(server, scratch / "bucket") as bucket:
            series = of_files(stage, ready, bucket, aside) + of_one(stage, ready, bucket, scratch / "large.bin")
    except environments.Missing as missing:
        stage.skip("all", f"there is no bucket: {missing}")
        series = []
    return stage.finish(series, promises(series))


def of_files(stage: Stage, ready: Sequence[tuple[Sender, Project]], bucket: Bucket, aside: Path) -> list[Series]:
    """Many small files, by each tool in turn; what they leave is put aside."""
    files = Files(n=stage.options.size)
    turns = []
    tools = [(one, replace(project, aside=aside)) for one, project in ready if not one.is_client]
    for one, project in tools:
        files.write(project.folder / "data")
        turns.append(there_and_back(one, project, bucket, Work.of_files(project, files)))
    series = take_turns(turns, stage.options.n)
    for _, project in tools:
        project.remove()
    return series


def of_one(stage: Stage, ready: Sequence[tuple[Sender, Project]], bucket: Bucket, source: Path) -> list[Series]:
    """A large file, by each tool in turn; what they leave is deleted, for it takes few inodes and much of the disk."""
    write_large(source, (1 << 30) * stage.options.size // N_FILES)
    work = Work.of_one(source)
    turns = [there_and_back(one, replace(project, path=source.name), bucket, work) for one, project in ready]
    return take_turns(turns, stage.options.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is sent: where it waits, what the cases are called, and how what came back is compared."""

    waiting: Path
    push: str
    pull: str
    size_bytes: int
    fault: Callable[[Path], str | None]

    @classmethod
    def of_files(cls, project: Project, files: Files) -> Work:
        """Many small files."""
        waiting = project.folder / "data"
        return cls(waiting=waiting, push=PUSH, pull=PULL, size_bytes=files.n * FILE_BYTES, fault=files.fault)

    @classmethod
    def of_one(cls, source: Path) -> Work:
        """A large file; there is one for all tools."""

        def fault(path: Path) -> str | None:
            return None if path.exists() and is_same(path, source) else "what was pulled is another file"

        size_bytes = source.stat().st_size
        return cls(waiting=source, push=PUSH_LARGE, pull=PULL_LARGE, size_bytes=size_bytes, fault=fault)


def there_and_back(sender: Sender, project: Project, bucket: Bucket, work: Work) -> Contender:
    """Keep the data, push it to an empty place of the bucket, clone the project, pull."""

    def play(repetition: int) -> Iterator[tuple[str, Sample]]:
        url = bucket.url(f"{work.push}-{sender.keeper.name}-{repetition}".replace(" ", "-").replace(",", ""))
        here = replace(project, keeper=replace(sender.keeper, variables=bucket.variables))

        def words(command: Command) -> Command:
            return tuple(word.replace("{url}", url).replace("{endpoint}", bucket.endpoint) for word in command)

        try:
            here.renew()
            work.waiting.rename(here.data)
            try:
                here.set_up(*[words(command) for command in sender.ready])
                here.set_up(*([here.keeper.keep] if here.keeper.keep else []), *here.keeper.seal)
                sample = here.measure(words(sender.push))
            finally:
                here.data.rename(work.waiting)
        except SetUpFailed as broken:
            yield work.push, Sample.broken(str(broken))
            return
        yield work.push, sample
        there = here.clone()
        sample = there.measure(words(sender.pull))
        yield work.pull, checked(sample, None if sample.fault else work.fault(there.data))
        there.remove()

    return Contender(tool=sender.keeper.name, play=play)


def promises(series: Sequence[Series]) -> list[Promise]:
    """What issue 3 holds headway to."""
    return [
        *faster(PUSH, "dvc", 15),
        *faster(PULL, "dvc", 10),
        *(
            # 80 % of a client's speed: at most 1.25 x its time.
            Promise(
                text=f"{case}: at least 80 % as fast as {name}",
                of=(name, case),
                over=("headway", case),
                least=0.8,
            )
            for case in (PUSH_LARGE, PULL_LARGE)
            for name in ("boto3", "obstore")
        ),
        *memory(series),
    ]


if __name__ == "__main__":
    sys.exit(main())
