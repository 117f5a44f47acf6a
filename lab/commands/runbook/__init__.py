"""`lab runbook`: a file for each of its commands, and what they share.

`liverun`, `rehearsal`, `questions` and `files` are imported when a command is called.
"""
