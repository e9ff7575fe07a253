"""The IIIF Image API, versions 3.0 and 2.1.1: from the words of an address to pixels and bytes."""
