"""Runbooks as data: files, the model that they are checked on, predictions. Pure."""
