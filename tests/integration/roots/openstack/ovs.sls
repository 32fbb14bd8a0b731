simulated ovs:
  simulated_node.at_target:
    - name: ovs
