"""Outlines of the lungs and the heart on a frontal film, and what is measured from them."""
