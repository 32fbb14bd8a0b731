# A plain state.apply brings a node to its release, stage by stage in this order.
# Each stage knows from the node's share (pillar openstack_node) whether this node has it, and is empty where it has not.
base:
  '*':
    - openstack.ovn
    - openstack.control_plane
    - openstack.services
    - openstack.ovs
    - openstack.system
