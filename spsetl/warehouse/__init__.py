"""The DuckDB side: a private work database that merges, checks before publishing, and the published file for readers."""
