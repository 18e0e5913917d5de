"""A report as DICOM objects that lie beside the images it was made of."""
