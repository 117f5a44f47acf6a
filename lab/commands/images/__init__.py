"""`lab images`: a file for each of its commands."""
