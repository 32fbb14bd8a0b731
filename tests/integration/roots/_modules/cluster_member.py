"""Stands in for the node: a controller of a cloud without clusters."""


def may_stop(patience=0, leave=False):
    """As the real one, where there is nothing to ask."""
    return []
