"""Which node may go now, and did it succeed: the plan, the engine, and what both need of the world."""
