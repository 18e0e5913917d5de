"""Telling lung nodules from what only looks like one on CT, a patch at a time."""
