"""The outside world, one module each; only here are a library's exceptions caught."""
