"""What the lab is right now, which situation that is, and what to do next."""
