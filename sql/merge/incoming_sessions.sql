-- What a window brought: one row per session, its newest revision.
select *  -- noqa: AM04
from read_parquet($files)
qualify row_number() over (
    partition by appliance, session_key
    order by revision desc nulls last, extracted_at desc
) = 1
