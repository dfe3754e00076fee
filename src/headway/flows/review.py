"""Where the tables lie that a person names: a path here, or content of the store that is laid out to be read.

Neighbours: `tables/review` reads them; `steps/validate_data` does the same for a step by its bench.
"""

import os

from headway.core.ids import Artifact
from headway.errors import FileMissing, NameUnknown, UsageMistaken
from headway.flows import contents, registry
from headway.flows.dataset import Project
from headway.flows.store import materialize

RELEASED = "last-released"
"""As a reference: the data of the model version that was released last."""


def path_of(project: Project, text: str, scratch: str, *, base: str = "") -> str:
    """The file or folder that `text` means: a path as seen from `base`, else a version, laid out below `scratch`.

    Raises FileMissing, UsageMistaken for what is more than one path, BlobMissing.
    """
    here = os.path.abspath(os.path.join(base or project.folder, text))
    if os.path.exists(here):
        return here
    try:
        side = contents.resolve(project, text)
    except NameUnknown as e:
        if "@" in text:
            raise
        raise FileMissing(
            f"there is no {text}", at=text, remedy="name a file, a folder or a dataset version (train@7)"
        ) from e
    if side.is_whole or len(side.artifacts) != 1:
        raise UsageMistaken(f"{text} is more than one table", at=text, remedy="name one of its paths or datasets")
    (artifact,) = side.artifacts.values()
    if side.is_work:
        return os.path.join(project.folder, artifact.path)
    return _laid_out(project, artifact, scratch)


def reference_of(project: Project, text: str, data: str, scratch: str, *, base: str = "") -> tuple[str, str]:
    """The path of a reference and what it is called; both are empty while nothing was released on `data`.

    `data` is the path of what it is the reference of. Raises as `path_of`.
    """
    if text != RELEASED:
        return path_of(project, text, scratch, base=base), text
    found = registry.last_released(project.log, os.path.relpath(data, project.folder).replace(os.sep, "/"))
    if found is None:
        return "", ""
    artifact, version = found
    return _laid_out(project, artifact, scratch), f"the data of {version}"


def _laid_out(project: Project, artifact: Artifact, scratch: str) -> str:
    path = os.path.join(scratch, artifact.digest[:16], os.path.basename(artifact.path))
    if not os.path.exists(path):
        materialize(project.blobs, artifact, path)
    return path
