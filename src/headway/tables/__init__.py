"""Tables at speed: what a CSV, Parquet or JSON lines file holds, how two of them differ. DuckDB and Polars live here.

Knows no store, no log and no pipeline: it is handed paths of files and gives frozen values.
"""
