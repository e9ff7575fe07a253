"""Frames of DICOM images: where they lie, how they are decoded and displayed."""
