"""A real Ceph on the machines of the profile `ceph`."""
