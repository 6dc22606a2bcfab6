"""Each folder here has the files that following a recipe adds: they are tried in a copy of the repository only."""

collect_ignore_glob = ["*/*"]
