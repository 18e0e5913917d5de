"""What notes measure: quantities with their limits and units, and the specimens they are measured in."""
