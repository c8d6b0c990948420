"""What all verbs print with."""
