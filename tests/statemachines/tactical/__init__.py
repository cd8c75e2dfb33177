"""Tests of the TACTICAL engine."""
