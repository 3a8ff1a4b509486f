-- The marts of the published file, with what they and their columns mean: one row per column of a mart, in its order.
with marts as (
    select
        table_name as name,
        comment
    from duckdb_tables()
    where database_name = 'warehouse' and schema_name = 'mart'
    union all
    select
        view_name as name,
        comment
    from duckdb_views()
    where database_name = 'warehouse' and schema_name = 'mart'
)

select
    marts.name,
    marts.comment,
    columns.column_name,
    columns.comment as meaning
from marts
inner join duckdb_columns() as columns on marts.name = columns.table_name
where columns.database_name = 'warehouse' and columns.schema_name = 'mart'
order by marts.name, columns.column_index
