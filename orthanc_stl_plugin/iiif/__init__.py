"""IIIF: requests and documents as values; pixels as arrays."""
