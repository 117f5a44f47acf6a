"""The commands: a file for each, named as it is typed, that parses, calls and prints.

`fault/` and `runbook/` have a file for each of their commands, and what these share. `parsing/` and
`terminal.py` serve all of them.

Their modules import almost nothing: what a command needs is imported when it is called. `--help`
and shell completion must not wait for a database driver.
"""
