"""What people wrote about runs, and runs held against each other."""
