"""What is declared, and what each node must be: the pillar as a typed model, and what follows from it.

Pure, and on the master alone: nothing here asks a node, a registry or Salt. It needs pydantic.
"""
