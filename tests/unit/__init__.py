"""Tests of one module each, without media files."""
