"""What installs the parts of a plan; one module a method."""
