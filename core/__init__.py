"""What belongs to every room: messages in two languages, errors, the clock, masking. It imports nothing of ours."""
