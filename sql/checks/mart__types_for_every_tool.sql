-- fatal: offending rows are columns of the marts whose type some driver cannot read; none may be
select
    table_name,
    column_name,
    data_type
from information_schema.columns
where
    table_catalog = current_database()
    and table_schema = 'mart'
    and not regexp_full_match(
        data_type, '(BOOLEAN|INTEGER|BIGINT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|DATE|TIMESTAMP)'
    )
