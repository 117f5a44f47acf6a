"""The two-region failover lab: lose a region on one machine and measure what was lost."""

__version__ = "0.1.0"
