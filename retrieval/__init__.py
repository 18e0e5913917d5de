"""What to read, and whom the patient resembles."""
