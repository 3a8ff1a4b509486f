-- The runs of the lake in their order, with their files: one row per run.
-- What a run fetches is extracted after all that was there before it; a replay keeps older times, beside its own.
select
    run_id,
    list(table_name order by table_name, filename) as tables,
    list(filename order by table_name, filename) as filenames
from run_files
where run_id is not null
group by run_id
order by max(moment), run_id
