"""Core: randomness, files, errors, settings."""

from harmonium.core import errors

__all__ = ["errors"]
