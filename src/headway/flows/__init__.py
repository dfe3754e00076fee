"""The imperative shell: read facts, let `core` decide, act through ports, append what happened."""
