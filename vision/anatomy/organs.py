"""What is outlined, and at what size."""

from __future__ import annotations

ORGANS = ("right_lung", "left_lung", "heart")
"""The outlines, in order. Right and left are the patient's: the right lung is on the left of the picture."""

SIDE = 128
"""Pixels of the network's input and of its outlines, each way."""
