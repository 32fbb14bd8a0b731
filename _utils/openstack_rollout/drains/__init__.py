"""How workloads leave a node and come back: the contract of a drain, and one file for each kind of drain."""
