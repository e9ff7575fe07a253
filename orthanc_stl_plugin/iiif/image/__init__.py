"""IIIF Image API: requests, plans, rendering, info.json."""
