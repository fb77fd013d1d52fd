"""What all rooms use: messages in two languages, errors, plain text, the clock, masking. It imports none of the other rooms."""
