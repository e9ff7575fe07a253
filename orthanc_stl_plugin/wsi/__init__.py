"""Whole slides: which frame of which instance shows which part of an image."""
