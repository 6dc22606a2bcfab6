"""Read what Telegram Desktop exports, of any size and in any state of repair."""
