"""Drills to read, run and copy: one per file, with what happens and what is expected on top."""
