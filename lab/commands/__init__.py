"""The commands, one function each: parse, call, print.

Their modules import almost nothing: what a command needs is imported when it is called. `--help`
and shell completion must not wait for a database driver.
"""
