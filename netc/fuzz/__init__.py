"""From nothing but the registry of ops to random programs, and from a program to what is wrong with netc."""
