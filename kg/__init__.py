"""The knowledge graph: explanatory paths and candidate diagnoses."""
