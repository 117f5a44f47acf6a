"""Faults: every way a region can fail, one row and one small file each."""
