"""From exchanges to a prompt set that matches live traffic: units, slices, windows, splits."""
