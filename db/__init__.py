"""All that outlives a process: settings, states, models, queries, object storage, messages, errors."""
