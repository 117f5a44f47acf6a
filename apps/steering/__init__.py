"""Steering: looks at both regions as users reach them, and says where users should go."""
