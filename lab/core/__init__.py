"""What every other package stands on: errors, waits, words, WAL positions, names of places."""
