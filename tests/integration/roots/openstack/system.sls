simulated system:
  simulated_node.at_target:
    - name: system
