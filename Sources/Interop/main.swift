// Program under construction.
