"""Labs of your own: `./caudal new-stream` writes them here."""
