"""`timokha record`: save questions and their replies from the streams to a file."""
