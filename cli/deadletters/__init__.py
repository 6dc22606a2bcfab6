"""List, show, resend and drop the questions that got no answer."""
