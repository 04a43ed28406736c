"""The outside world, one module each. Only here are a library's exceptions caught and turned into outcomes."""
