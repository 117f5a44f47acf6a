"""What state the lab is in right now, which situation that is, and what to do next."""
