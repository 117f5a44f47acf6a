"""PostgreSQL nodes and their replication, in PostgreSQL's words."""
