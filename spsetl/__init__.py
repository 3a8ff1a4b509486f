"""Copies the session audit of One Identity SPS appliances into Parquet and DuckDB, completely, and proves it."""
