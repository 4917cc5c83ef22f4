"""Figures, each measured on a new instance: `python3 manage.py bench` prints them."""
