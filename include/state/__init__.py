"""What is known of a stream on disk: lease, generations, pairing, journal, deliveries, refused records."""
