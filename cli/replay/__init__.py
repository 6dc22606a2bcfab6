"""`timokha replay`: ask recorded questions again, and compare the replies with the recorded ones."""
