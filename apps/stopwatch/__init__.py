"""An independent stopwatch: tries to write all the time, and notes what was acknowledged."""
