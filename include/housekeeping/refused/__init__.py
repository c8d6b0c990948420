"""What a person decides about refused records and files."""
