"""The values that every layer shares: geometry, labels, meshes."""
