"""What people see on a terminal: a run as it goes, its end, a plan. Prints; decides nothing."""
