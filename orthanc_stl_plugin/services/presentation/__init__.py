"""Manifests, collections and change discovery of studies."""
