"""NumPy functions as they are written: read into programs, differentiated, written as readable Python, compiled."""
