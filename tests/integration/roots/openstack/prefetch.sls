simulated prefetch:
  simulated_node.downloaded:
    - name: prefetch
