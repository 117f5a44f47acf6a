"""A second implementation of the figures, written from docs/figures.md alone.

Plain, slow Python over lists of operations: no arrays and no database. It shares nothing with
what it is held against but the types of a history. `histories` makes random runs, `held` computes
both and names what differs.
"""
