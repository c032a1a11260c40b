"""The profile `buildkit`: what BuildKit says of a file, found by going its way. `profile` is the entrance."""
