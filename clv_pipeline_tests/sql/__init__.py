"""Tests of the SELECTs under `sql/`, against numbers worked by hand and properties of random lines."""
