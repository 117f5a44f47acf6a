"""Drills, matrices and soaks: how they run, and what they leave."""
