simulated control_plane:
  simulated_node.at_target:
    - name: control_plane
