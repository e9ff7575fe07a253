"""Frames of DICOM images: finding, decoding and displaying them."""
