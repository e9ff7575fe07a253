"""Surfaces from voxels: arrays in, arrays out."""
