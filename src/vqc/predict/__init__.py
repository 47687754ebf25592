"""A run and a source of pictures → answers, drawn and written down."""
