"""REST groups, one file each; a file lists its ROUTES and is found by being here."""
