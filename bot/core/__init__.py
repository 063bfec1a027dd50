"""The behaviour: turns, history, order. Standard library only; start at answer.py."""
