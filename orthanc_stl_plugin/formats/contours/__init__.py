"""RT-STRUCT contours and their rasterisation."""
