"""How each Kafka client reaches the broker."""
