"""3D models from segmentations, and IIIF from DICOM images, inside Orthanc."""

__version__ = "1.0.0"
