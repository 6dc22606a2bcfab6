"""From token ids to a message: stages, thoughts, repetition, and the text so far of a live answer."""
