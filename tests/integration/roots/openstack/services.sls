simulated services:
  simulated_node.at_target:
    - name: services
