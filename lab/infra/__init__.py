"""What reaches the machines, links and programs of a lab."""
