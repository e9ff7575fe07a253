"""From an image's name to pixels."""
