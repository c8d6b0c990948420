"""The rows of the labs: one file each, with a docstring and one LAB."""
