"""DICOM data sets: reading, attributes, encapsulated documents."""
