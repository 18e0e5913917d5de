"""Measures of the service."""
