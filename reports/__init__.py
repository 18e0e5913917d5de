"""One diagnostic report, many outputs."""
