"""A driver for each chat: carry out the steps that its record asks for, and record their results."""
