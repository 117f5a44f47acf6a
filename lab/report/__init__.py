"""Pages, tables and files that a person or CI reads."""
