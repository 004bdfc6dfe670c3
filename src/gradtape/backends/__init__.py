"""Graph to callable: one folder per backend. May import `graph/`, `passes/` and below."""
