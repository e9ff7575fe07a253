"""Requests to responses: addresses, bodies, errors."""
