"""Tests of the domain code, against hand-worked and published numbers."""
