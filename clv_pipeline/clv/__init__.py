"""The domain: polars frames in, polars frames out. Imports neither dagster nor duckdb."""
