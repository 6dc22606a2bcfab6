"""Questions that nobody could answer: looked at, asked again, dropped."""
