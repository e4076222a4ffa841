"""What each route takes and answers: OPERATIONS of NAME.py are those of routes/NAME.py."""
