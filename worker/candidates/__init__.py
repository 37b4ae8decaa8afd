"""Who names the candidates: the caller, a language model that the operator configured, or the local extractor."""
