"""The paper's Tables 1 to 6: its rows, and below them those computed here."""
