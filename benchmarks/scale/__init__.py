"""How the readers, the graph and the linker grow: releases as large as UMLS and SNOMED CT, made here."""
