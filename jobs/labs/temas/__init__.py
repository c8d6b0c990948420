"""One lab for each subject of the course."""
