"""Fitting the detector and its refusal model, calibrating them, and writing the shipped files."""
