"""Jobs and images: their rows, and the steps that change them. docs/design.md has the whole."""
