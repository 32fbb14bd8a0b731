"""What execution modules and states share on a node; nothing here knows of other nodes."""
