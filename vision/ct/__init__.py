"""CT: series as volumes, the lungs in them, nodule candidates, and the network that judges these."""
