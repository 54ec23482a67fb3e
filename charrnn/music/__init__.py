"""Tunes: read, written, heard, seen and measured. Nothing in here knows of networks."""
