"""Chest patients with a known answer: films, notes, texts."""
