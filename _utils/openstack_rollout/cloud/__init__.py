"""OpenStack through its own SDK: what runs where, what may go wrong when it moves, and moving it."""
