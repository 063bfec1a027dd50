"""What the README says about speed and size, measured."""
