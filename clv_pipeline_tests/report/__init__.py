"""Tests of the report: what it says, on tables of known content."""
