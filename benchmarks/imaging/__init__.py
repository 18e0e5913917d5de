"""Measurements of what is seen: CT, outlines, and what is not told better than by chance."""
