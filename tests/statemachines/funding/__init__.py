"""Tests of the FUNDING engine."""
