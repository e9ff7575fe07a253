"""Mesh files: STL, OBJ, GLB and PLY."""
