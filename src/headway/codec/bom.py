"""A CycloneDX 1.6 bill of materials of a model version: the model, its data, the packages it was made with, its card.

By hand, since the library that makes such documents would double what headway installs; the tests hold this to the
published schema. Made of a lineage alone: the same version gives the same bytes, but for where it serves.
"""

import time
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.core.lineage import DataUse, VersionLineage
from headway.core.signing import statement

Json = dict[str, object]

SPEC = "1.6"

_CONSIDERATIONS = {"intended-use": "useCases", "limitations": "technicalLimitations"}
"""Tags of a version, and what CycloneDX calls them."""


def bom(of: VersionLineage, files: Mapping[str, Digest]) -> bytes:
    """The document as JSON. `files` are those of a model that is a folder, by path; empty for one of a single file."""
    made = of.version
    # The same version is the same document, also when it is asked for again: no chance and no clock.
    serial = digest_of(statement(made))
    data = [_data(use) for use in of.data]
    packages = [_package(one) for one in of.packages if "==" in one]
    refs = [str(one["bom-ref"]) for one in (*data, *packages)]
    document: Json = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{serial[:8]}-{serial[8:12]}-{serial[12:16]}-{serial[16:20]}-{serial[20:32]}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(of.card.at)),
            "tools": {"components": [_without_empty({"type": "application", "name": "headway"})]},
            "component": _model(of, files, [str(one["bom-ref"]) for one in data]),
        },
        "components": [*data, *packages],
        "dependencies": [{"ref": _ref(of), "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _model(of: VersionLineage, files: Mapping[str, Digest], data: list[str]) -> Json:
    made, tags = of.version, of.card.tags
    said = {
        "run": str(made.run or ""),
        "commit": made.source.commit or "",
        "format": made.format,
        "file": made.artifact.path,
        "verdict": of.verdict.outcome if of.verdict is not None else "",
        "python": of.place.python.partition(" ")[0],
        "platform": of.place.platform,
        **{f"param:{name}": str(value) for name, value in sorted(made.params.items())},
        **{f"tag:{name}": value for name, value in tags.items()},
    }
    metrics = {metric.name: metric for metric in made.metrics}
    considerations: Json = {ours: [tags[tag]] for tag, ours in _CONSIDERATIONS.items() if tag in tags}
    if "ethics" in tags:
        considerations["ethicalConsiderations"] = [{"name": tags["ethics"]}]
    return _without_empty(
        {
            "type": "machine-learning-model",
            "bom-ref": _ref(of),
            "name": made.model,
            "version": str(made.version),
            "description": tags.get("description", ""),
            "hashes": [_hash(made.artifact.digest)],
            "licenses": [{"license": {"name": tags["license"]}}] if "license" in tags else [],
            "modelCard": _without_empty(
                {
                    "modelParameters": {"datasets": [{"ref": ref} for ref in data]} if data else {},
                    "quantitativeAnalysis": {
                        "performanceMetrics": [{"type": m.name, "value": f"{m.value:.12g}"} for m in metrics.values()]
                    }
                    if metrics
                    else {},
                    "considerations": considerations,
                }
            ),
            "components": [{"type": "file", "name": path, "hashes": [_hash(digest)]} for path, digest in files.items()],
            "properties": [{"name": f"headway:{name}", "value": value} for name, value in said.items() if value],
        }
    )


def _data(use: DataUse) -> Json:
    return _without_empty(
        {
            "type": "data",
            "bom-ref": f"data:{use.artifact.path}",
            "name": use.artifact.path,
            "version": ", ".join(use.versions),
            "hashes": [_hash(use.artifact.digest)],
            "data": [{"type": "dataset", "name": use.artifact.path}],
        }
    )


def _package(pinned: str) -> Json:
    name, _, version = pinned.partition("==")
    # As the specification of package URLs wants it for PyPI.
    purl = f"pkg:pypi/{quote(name.lower().replace('_', '-'), safe='')}@{quote(version, safe='')}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _ref(of: VersionLineage) -> str:
    return f"model:{of.name}"


def _hash(digest: Digest) -> Json:
    return {"alg": "BLAKE3", "content": digest}


def _without_empty(values: Json) -> Json:
    return {name: value for name, value in values.items() if value not in ("", [], {})}
