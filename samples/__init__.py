"""Render the project's own sample clip: a coast and a village street with exact motion."""
