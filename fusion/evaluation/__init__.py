"""How well diagnoses are ranked: published patients, and chest patients in words or images."""
