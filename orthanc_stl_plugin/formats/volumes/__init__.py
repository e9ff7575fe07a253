"""Voxel grids: NIfTI, DICOM SEG and image series."""
