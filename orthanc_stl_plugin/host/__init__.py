"""The only package that knows Orthanc."""
