"""Hold every candidate against every bar, slice by slice, on evidence nobody has read."""
