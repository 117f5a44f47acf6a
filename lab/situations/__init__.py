"""What is wrong with a lab, and the next command: rows that are told what was seen."""
