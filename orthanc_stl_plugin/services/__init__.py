"""Use cases: they know neither HTTP nor Orthanc."""
