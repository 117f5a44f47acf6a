"""The commands of `lab load`: users at work outside a drill, one file each."""
