"""Terminology in: files become concepts, terms and relations; text becomes concepts."""
