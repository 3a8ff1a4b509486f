"""What to fetch: windows of start_time from the list, and the details of each session."""
