"""The user's own papers and cases: read, made nameless, indexed, kept up to date."""
