"""Small models trained from nothing, where no hub is in reach to fetch trained ones from."""
