"""Where releases come from, one file a kind of source, told by what it holds: what each says, as it says it.

Pure readers. What the names are here, and what of it becomes a release, is judged by declared/importing.
"""
