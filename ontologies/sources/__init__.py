"""The open sources: what is pinned, how it is fetched, and how files and archives are read."""
