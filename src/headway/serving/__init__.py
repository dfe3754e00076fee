"""The data plane: what answers predictions, in processes of its own that outlive the command that started them.

`holder` keeps an endpoint's port and its workers; `worker` is one process with one model version; `app` speaks HTTP,
`protocol` reads requests, `forward` hands one on to a sibling. Knows no log and no store: what it serves are files.
"""
