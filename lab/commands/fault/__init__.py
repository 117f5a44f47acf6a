"""`lab fault`: one file for each of its commands."""
