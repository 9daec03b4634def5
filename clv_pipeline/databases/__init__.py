"""Reads databases. Nothing here is imported before a source asks for it: its libraries are an extra."""
