"""What the page takes to write and to work out, and its figures: ``python -m benchmarks.page``."""
