"""How the command line is parsed: options that commands share, values, complaints, completion."""
