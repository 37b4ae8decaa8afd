"""Why a language model's reading of a description isn't used; its callers go on without it."""


class EndpointFailed(Exception):
    """Asking again at once wouldn't help. The message is for people, and names nothing of the operator's."""


class ParametersRefused(EndpointFailed):
    """Asking with other parameters may help."""


class PassingFailure(Exception):
    """Asking again may help."""
