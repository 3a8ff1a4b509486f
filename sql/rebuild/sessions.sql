-- The sessions of the copy: one row per session.
select
    versions.* exclude (file_index, file_row_number) replace (  -- noqa: AM04
        coalesce(kept.channels_status, versions.channels_status, 'pending') as channels_status,
        coalesce(
            kept.events_status,
            case when not kept.has_events then versions.events_status end,
            nullif(versions.events_status, 'not_indexed'),
            'pending'
        ) as events_status,
        coalesce(kept.alerts_status, versions.alerts_status, 'pending') as alerts_status,
        coalesce(kept.trail_downloads_status, versions.trail_downloads_status, 'pending') as trail_downloads_status,
        coalesce(kept.indexing_status, versions.indexing_status, 'pending') as indexing_status,
        kept.missing_since as missing_since
    )
from lake_sessions as versions
inner join kept_sessions as kept
    on versions.file_index = kept.file_index
    and versions.file_row_number = kept.file_row_number
