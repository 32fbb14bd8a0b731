"""A real OpenStack for the lab's profile `openstack`: its images, its configuration, its API."""
