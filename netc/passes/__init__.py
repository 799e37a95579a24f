"""Work on a spec and its IR: elaboration, inference, inlining, costs, and the reading of recipes."""
