"""Run folders with one damage each, and what the commands that read them say.

`ways` has the damages, `shelf` the folders, `held` what may be said.
"""
