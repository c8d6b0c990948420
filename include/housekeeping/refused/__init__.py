"""Plans for what a person decides about refused records and files."""
