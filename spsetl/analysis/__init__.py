"""Questions to the copy: the appliance's own statistics and histogram, answered without the appliance."""
