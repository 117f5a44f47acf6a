"""The steps that a runbook can be made of: one row each, what it says and what it does."""
