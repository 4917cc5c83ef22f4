"""Figures, measured on an instance of their own. `python3 manage.py bench` prints them."""
