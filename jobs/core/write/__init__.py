"""From business rows to a published batch."""
