"""A computed chest radiograph: no patient."""
