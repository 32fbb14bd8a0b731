"""Faults that the field has in store, planted on the lab's machines while a whole update runs."""
