-- Whether the appliance gives snapshots, as the last sync found it: one row per appliance asked for.
select has_snapshots::boolean as has_snapshots
from appliances
where appliance = $appliance
