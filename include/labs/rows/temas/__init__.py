"""One subject of the course each."""
