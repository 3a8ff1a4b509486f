"""The `q` of the appliance, a Lucene expression, as a condition in SQL: `compile.compile_query`."""
