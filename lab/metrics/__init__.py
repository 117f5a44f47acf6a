"""Figures as pure formulas over what was recorded."""
