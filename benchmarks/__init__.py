"""Commands that print the tables of results."""
