"""What the services ask of Orthanc."""
