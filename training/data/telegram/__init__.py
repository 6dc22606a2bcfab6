"""Read exports of Telegram Desktop, of any size, damaged or not."""
