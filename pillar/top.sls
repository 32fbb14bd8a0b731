# From weakest to strongest: what comes later wins. Globs, so that a new release is a new file and nothing else.
base:
  '*':
    - openstack.services
    - openstack.releases*
    - openstack
