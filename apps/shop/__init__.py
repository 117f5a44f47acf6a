"""The shop: takes each order once, and never says more about it than it knows."""
