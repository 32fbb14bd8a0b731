# The catalogue of releases is the other files of this directory (see README.md). This one only makes it exist.
openstack:
  releases: {}
