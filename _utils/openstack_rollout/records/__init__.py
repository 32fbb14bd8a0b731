"""What outlives a process: the journal of runs, the lock, the turn, and the records in them."""
