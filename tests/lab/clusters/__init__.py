"""Three controllers with real clusters, for the lab's profile `controllers`."""
