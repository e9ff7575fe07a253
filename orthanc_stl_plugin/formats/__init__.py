"""File formats, one module each: bytes in, values out, and back."""
