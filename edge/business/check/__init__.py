"""`timokha business --check`: test with a real bot what the edge for business connections assumes of Telegram."""
