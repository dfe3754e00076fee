"""Suites of other tools, read into a Schema: pandera, Great Expectations, TensorFlow Data Validation."""
