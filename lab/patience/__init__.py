"""Patience of health checks and runbooks: what blips and losses do with it. Pure."""
