"""Every error a user can meet; imports nothing.

Each says problem, place and remedy. `code` is never reused and has an entry in `docs/errors.md`; `exit_code` is what
the command ends with; `retry_after_s` is None when trying again cannot help.

    HeadwayError
    ├── Mistake                 (2) something a person wrote or typed
    │   ├── UsageMistaken
    │   ├── FileMissing
    │   ├── FileFaulty          all faults of one file
    │   ├── ExpressionUnreadable
    │   ├── CheckUnreadable
    │   ├── NameUnknown
    │   ├── ColumnMissing
    │   ├── QueryMistaken
    │   ├── NothingMatches
    │   └── ExtraMissing
    ├── Conflict                (5) somebody else was first
    │   ├── AppendConflict
    │   ├── LeaseHeld
    │   └── ContentUnsaved
    ├── SystemRefused           (1) the operating system: a permission, a file that is no file
    ├── StoreTrouble            (1)
    │   ├── BlobMissing
    │   ├── BlobDamaged
    │   ├── DiskFull
    │   ├── RemoteUnreachable
    │   ├── RemoteRefused
    │   └── StoreNewer
    ├── LogTrouble              (1)
    │   ├── LogDamaged
    │   └── LogNewer
    ├── StepTrouble             (1)
    │   ├── StepNotStarted
    │   ├── StepHeld
    │   └── OutputUnreadable
    ├── ModelTrouble            (1)
    │   ├── ModelUnreadable
    │   ├── ModelUntrusted
    │   ├── SignatureRefused
    │   ├── DataUnreadable
    │   ├── HoldoutSpent
    │   └── Unmeasurable
    ├── TableTrouble            (1)
    │   ├── TableUnreadable
    │   └── KeyNotUnique
    ├── SourceTrouble           (1)
    │   ├── SourceUnreachable
    │   └── SourceRefused
    └── ReleaseTrouble          (7)
        ├── VersionUnproven     (3)
        ├── VersionNotReady
        ├── GoldenRefused
        └── TargetUnavailable
"""


class HeadwayError(Exception):
    """Problem, place and remedy in the user's words."""

    code = "headway"
    exit_code = 1
    retry_after_s: float | None = None

    def __init__(self, problem: str, *, at: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem, self.at, self.remedy = problem, at, remedy

    def __str__(self) -> str:
        return f"{self.problem} ({self.at}); {self.remedy}"


class Mistake(HeadwayError):
    """Something a person wrote or typed cannot be used; `offset` is where in a text, if it is about one."""

    code = "mistake"
    exit_code = 2

    def __init__(self, problem: str, *, at: str, remedy: str, offset: int = 0) -> None:
        super().__init__(problem, at=at, remedy=remedy)
        self.offset = offset


class UsageMistaken(Mistake):
    """The words of a command line are off."""

    code = "usage"


class FileMissing(Mistake):
    """A file that was named is not there."""

    code = "file-missing"


class Fault:
    """One fault of a file: `line` and `column` count from 1, 0 without marks; `file` if another than was read."""

    __slots__ = ("column", "excerpt", "file", "line", "problem", "remedy", "where")

    def __init__(  # noqa: PLR0913 (these are what is told of a fault)
        self, problem: str, *, line: int = 0, column: int = 0, where: str = "", excerpt: str = "", remedy: str = "",
        file: str = "",
    ) -> None:  # fmt: skip
        self.problem, self.remedy, self.excerpt = problem, remedy, excerpt
        self.file, self.line, self.column, self.where = file, line, column, where

    def __repr__(self) -> str:
        return f"{self.line}:{self.column} {self.where}: {self.problem}"


class FileFaulty(Mistake):
    """A file has faults; `faults` holds all of them, in the order of the file."""

    code = "file-faulty"

    def __init__(self, problem: str, *, at: str, remedy: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(problem, at=at, remedy=remedy)
        self.faults = faults


class ExpressionUnreadable(Mistake):
    """An expression `${{ … }}` is not in the language, or names what does not exist; `offset` is where in its text."""

    code = "expression"


class CheckUnreadable(Mistake):
    """A check of a gate is not in the language; `offset` is where in its text."""

    code = "check"


class NameUnknown(Mistake):
    """No run, step, step type, model, version, alias, endpoint or example has that name."""

    code = "name-unknown"


class ColumnMissing(Mistake):
    """A table lacks a column that was named."""

    code = "column-missing"


class QueryMistaken(Mistake):
    """A database cannot answer the query as it is written."""

    code = "query"


class NothingMatches(Mistake):
    """No object or file answers to a pattern, or there is none of that name."""

    code = "nothing-matches"


class ExtraMissing(Mistake):
    """What was asked for needs a package that is not installed."""

    code = "extra-missing"


class Conflict(HeadwayError):
    """Somebody else was first."""

    code = "conflict"
    exit_code = 5
    retry_after_s: float | None = 1.0


class AppendConflict(Conflict):
    """Somebody else appended to the same stream of the log first."""

    code = "append-conflict"
    retry_after_s = 0.0


class LeaseHeld(Conflict):
    """Somebody else holds the lease; `holder` says who."""

    code = "lease-held"

    def __init__(self, problem: str, *, at: str, remedy: str, holder: str = "") -> None:
        super().__init__(problem, at=at, remedy=remedy)
        self.holder = holder


class ContentUnsaved(Conflict):
    """What stands in the workspace would be overwritten, and no version holds it."""

    code = "content-unsaved"
    retry_after_s = None


class SystemRefused(HeadwayError):
    """The operating system refused something: a permission, a file that is a folder, a name that is too long."""

    code = "system"


class StoreTrouble(HeadwayError):
    """The store of blobs cannot do its work."""

    code = "store"


class BlobMissing(StoreTrouble):
    """A blob that the log knows of is not in the store."""

    code = "blob-missing"


class BlobDamaged(StoreTrouble):
    """A blob's bytes do not have the digest that names it."""

    code = "blob-damaged"


class DiskFull(StoreTrouble):
    """No space is left, or a quota is reached."""

    code = "disk-full"
    retry_after_s = 60.0


class RemoteUnreachable(StoreTrouble):
    """A bucket does not answer, or not as it should, also when asked again."""

    code = "remote-unreachable"
    retry_after_s = 10.0


class RemoteRefused(StoreTrouble):
    """A bucket is not there, or does not let this user do that."""

    code = "remote-refused"


class StoreNewer(StoreTrouble):
    """A store was made by a later version of headway."""

    code = "store-newer"


class LogTrouble(HeadwayError):
    """The log cannot be read or written."""

    code = "log"


class LogDamaged(LogTrouble):
    """The log's file, a fact in it or its chain of hashes is broken."""

    code = "log-damaged"


class LogNewer(LogTrouble):
    """The log holds facts of a kind that this version does not know."""

    code = "log-newer"


class StepTrouble(HeadwayError):
    """A step could not be carried out."""

    code = "step"


class StepNotStarted(StepTrouble):
    """The step's command could not be started at all."""

    code = "step-not-started"


class StepHeld(StepTrouble):
    """Processes of an earlier attempt are alive and cannot be ended."""

    code = "step-held"
    exit_code = 5
    retry_after_s = 5.0


class OutputUnreadable(StepTrouble):
    """A step reported outputs, metrics or test results in a form that cannot be read."""

    code = "output-unreadable"


class ModelTrouble(HeadwayError):
    """A model or the data for it cannot be used."""

    code = "model"


class ModelUnreadable(ModelTrouble):
    """No known format fits the model's file, or its library cannot load it."""

    code = "model-unreadable"


class ModelUntrusted(ModelTrouble):
    """The model's file would run code, and nobody vouched for its digest."""

    code = "model-untrusted"


class SignatureRefused(ModelTrouble):
    """A version's signature is wrong, or one by a trusted key is asked for and there is none."""

    code = "signature"


class DataUnreadable(ModelTrouble):
    """A table that a step needs is missing, empty, or lacks a column."""

    code = "data-unreadable"


class HoldoutSpent(ModelTrouble):
    """A holdout was asked as often as its budget allows: what it said now would keep no promise."""

    code = "holdout-spent"


class Unmeasurable(ModelTrouble):
    """A metric has no value on this data: no rows, a class that is absent, an answer that is no number."""

    code = "unmeasurable"


class TableTrouble(HeadwayError):
    """A table cannot be compared."""

    code = "table"


class TableUnreadable(TableTrouble):
    """A file is not the table that its name or its first bytes say."""

    code = "table-unreadable"


class KeyNotUnique(TableTrouble):
    """Several rows of a table have the same key, so that none of them can be told from the others."""

    code = "key-not-unique"


class SourceTrouble(HeadwayError):
    """Where data comes from, or who somebody is, cannot be used."""

    code = "source"


class SourceUnreachable(SourceTrouble):
    """The place does not answer, stops answering, or gives other bytes than it announced."""

    code = "source-unreachable"
    retry_after_s = 5.0


class SourceRefused(SourceTrouble):
    """The place answers and does not let one in."""

    code = "source-refused"


class ReleaseTrouble(HeadwayError):
    """A release could not be carried out; what served before, if anything did, still serves."""

    code = "release"
    exit_code = 7


class VersionUnproven(ReleaseTrouble):
    """No gate let the version pass, and nobody with the right to it overrode that; nothing was started."""

    code = "version-unproven"
    exit_code = 3


class VersionNotReady(ReleaseTrouble):
    """The new version's process ended or did not answer in time."""

    code = "version-not-ready"


class GoldenRefused(ReleaseTrouble):
    """The new version answered a golden request wrongly, or rows otherwise than when it passed its gate."""

    code = "golden-refused"


class TargetUnavailable(ReleaseTrouble):
    """The target (a local port, a cluster) cannot be used."""

    code = "target-unavailable"
    retry_after_s = 5.0
