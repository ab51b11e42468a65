"""Cassettes on disk: format, journal, library."""
