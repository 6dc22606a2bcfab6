"""`timokha replay`: recorded questions are asked again, and the answers compared with the recorded ones."""
