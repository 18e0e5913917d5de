"""What the readers say becomes one set of concepts, with where each statement comes from."""
