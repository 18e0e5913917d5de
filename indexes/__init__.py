"""Vectors and terms on disk; no medicine in here."""
