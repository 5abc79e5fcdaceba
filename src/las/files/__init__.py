"""Files of las: written whole or not at all, checksummed, never pickled."""
