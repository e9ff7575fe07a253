"""3D models from segmentations, and IIIF from DICOM images, inside Orthanc."""

__version__ = "0.1.0"
