"""What the user's collections are made of: images as the detector sees them, and the same work fanned out."""
