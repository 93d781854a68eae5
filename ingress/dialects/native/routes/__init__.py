"""The routes of the native contract, one file per noun."""
