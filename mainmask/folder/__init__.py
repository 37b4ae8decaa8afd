"""Many pictures through a service: found, submitted with bounded jobs in flight, and listed in a manifest."""
