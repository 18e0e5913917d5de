"""Fitting the reasoner and the ranker: patients, lessons, calibration, validation."""
