"""How each client reaches the broker."""
