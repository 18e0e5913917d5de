"""The service: HTTP, CDS Hooks and a DICOM listener in front of worker processes that share one model in memory."""
