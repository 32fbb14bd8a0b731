simulated ovn:
  simulated_node.at_target:
    - name: ovn
