"""Sketches of the prediction log: rows counted on a layout, and kept beside the segments that they are of.

`read` gives all cells of a log, and counts no row twice. `counter.Counter` counts rows that are given;
`files.write_layout` puts a layout where whoever seals a segment finds it, and `files.sketch` is what that calls.
docs/formats/predictions.md has the files. Does not know what is made of the counts.
"""

from headway.tables.sketches.reading import Known, read

__all__ = ["Known", "read"]
