-- What a part brings: one row per session, its newest revision; and where in the files it stands.
select
    appliance,
    session_key,
    revision,
    row_hash,
    recording_index_status,
    extracted_at,
    run_id,
    filename,
    file_row_number
from part_sessions
qualify row_number() over (
    partition by appliance, session_key
    order by revision desc nulls last, extracted_at desc
) = 1
