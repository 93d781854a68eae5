"""Real processes, real servers, real kill -9."""
