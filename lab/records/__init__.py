"""What was recorded of a run, and how it is read back."""
