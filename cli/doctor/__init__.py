"""`timokha doctor`: looks at every part, and says in plain words what is wrong and how to mend it."""
