"""What the programs of the labs work with."""
