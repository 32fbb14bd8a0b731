"""How workloads leave a node and come back: the contract, and one file a kind that bears its word."""
