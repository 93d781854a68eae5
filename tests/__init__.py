"""The tests: unit, contract, api, integration, architecture."""
