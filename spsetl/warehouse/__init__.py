"""The DuckDB side: a private work database that merges, checks, the published file, and its readers."""
