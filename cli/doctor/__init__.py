"""`timokha doctor`: examine every part, and print what is wrong and how to fix it."""
