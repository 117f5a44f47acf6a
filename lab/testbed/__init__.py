"""The lab as a whole: how it comes up, what is in force, how it goes."""
