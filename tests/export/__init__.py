"""Tests of the export, with an untrained network; they skip without torch."""
