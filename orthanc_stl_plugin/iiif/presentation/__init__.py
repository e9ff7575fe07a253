"""IIIF Presentation API: manifests, collections, change discovery."""
