"""What a file holds: bytes → grey pixels and what the header says, for DICOM, PNG and JPEG."""
