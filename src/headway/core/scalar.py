"""A plain value as a person writes it: what params, tags, labels and rows are made of. Imports nothing."""

Scalar = str | int | float | bool | None
