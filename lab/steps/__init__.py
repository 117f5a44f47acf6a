"""The steps of runbooks and drills: what each does and how it is proven."""
