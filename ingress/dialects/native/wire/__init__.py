"""The shapes of the native contract, and their translation to and from the domain."""
