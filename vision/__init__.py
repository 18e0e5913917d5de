"""Pixels become findings."""
