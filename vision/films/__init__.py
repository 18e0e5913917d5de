"""Many films: looked at, watched, kept."""
