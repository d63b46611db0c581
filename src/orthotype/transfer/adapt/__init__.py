"""A few labelled cells of the target: what is asked, what is learned, what it changed."""
