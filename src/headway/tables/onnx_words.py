"""What an ONNX file says of itself beyond its graph: keys of its metadata, whose values are JSON.

Read where such files are loaded (`formats/onnx`), written where they are made (`onnx_convert`).
"""

COLUMNS, CLASSES, WHOLE = "headway.columns", "headway.classes", "headway.whole"
"""Lists: names of the matrix's columns, labels of the classes, columns without gaps."""

SIGNATURE = "headway.signature"
"""The signature of the model that the file was made from, in whose place it answers."""

GAPLESS, FINITE, SINGLE, KNOWN = "headway.gapless", "headway.finite", "headway.single", "headway.known"
"""Of such a file: columns in which gaps are refused, infinite numbers, or those that 32 bits cannot hold; and by column
the texts besides which none is taken. Columns without names go by their number, from "0"."""
