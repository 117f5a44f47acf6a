"""`lab shop`: one file for each of its commands."""
