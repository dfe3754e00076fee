"""One file a tool: how it writes a project that does the work of a `shapes.Graph`, and its commands.

Each tool runs in its default local mode with telemetry and update checks off, on a project whose one-time set-up
(`dvc init`, a database's first migration) is done. Tools whose steps are Python functions copy with
`shutil.copyfile`, which is less work than starting `cp`.
"""
