"""A cloud whose services are Debian packages under their own units, for the lab's profile `packages`."""
