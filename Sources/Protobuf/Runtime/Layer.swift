// Layer under construction.
