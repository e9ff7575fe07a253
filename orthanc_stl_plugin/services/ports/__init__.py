"""Ports: the interfaces through which the services use Orthanc."""
