"""From a source to stored models, and from stored models to files."""
