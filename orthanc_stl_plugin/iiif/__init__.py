"""IIIF: the Image API 3.0 and 2.1.1, and the Presentation API 3.0 with its relatives."""
