"""From source to typed records, or reasons for refusal."""
