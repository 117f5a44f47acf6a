"""This machine: its engine, its package mirrors, the lab's images."""
