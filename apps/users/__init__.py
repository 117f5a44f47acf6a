"""One population of simulated users, who write down everything that happened to them."""
