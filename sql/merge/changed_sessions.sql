-- The sessions whose row in the copy is to be replaced, and whether their details go with it: one row per session.
-- What the source said last wins, also where its revision went back (a restore); of one run, the newest
-- revision. What two windows of a run list, or two replays read, is there as it was last, in whichever order they are
-- merged.
-- Details are fetched again when the revision moved; when the content did where there is none, or after it was gone.
with compared as (
    select
        incoming.*,
        (current_row.session_key is null) as is_new,
        (incoming.row_hash is distinct from current_row.row_hash) as is_different,
        (
            incoming.run_id = current_row.run_id or incoming.extracted_at = current_row.extracted_at
        ) as is_of_same_look,
        coalesce(incoming.revision <> current_row.revision, false) as is_other_revision,
        (incoming.revision is null or current_row.revision is null) as has_no_revision,
        case
            when incoming.run_id = current_row.run_id and incoming.revision <> current_row.revision
                then incoming.revision > current_row.revision
            else (incoming.extracted_at, incoming.run_id) > (current_row.extracted_at, current_row.run_id)
        end as is_later,
        coalesce(incoming.extracted_at > current_row.missing_since, false) as is_found_again
    from incoming_sessions as incoming
    left join sessions as current_row using (appliance, session_key)
)

select
    appliance,
    session_key,
    recording_index_status,
    extracted_at,
    filename,
    file_row_number,
    is_new,
    (not is_new and (is_different or is_found_again)) as is_changed,
    (is_new or is_other_revision or (is_different and (has_no_revision or is_found_again))) as needs_details
from compared
where
    is_new
    or is_found_again
    or (is_later and (is_different or is_of_same_look))
