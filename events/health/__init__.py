"""The health of a process, in a small file that `timokha health` reads."""
