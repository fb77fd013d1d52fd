"""What all rooms use: messages in two languages, errors, the clock, masking. It imports none of the other rooms."""
