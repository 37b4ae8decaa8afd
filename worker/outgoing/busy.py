"""What says that a request has to wait for others of its kind."""


class OutgoingBusy(Exception):
    """So many requests of the same kind are under way that this one wasn't tried: that says nothing of its URL.

    No `MainmaskError`: no job ends with it and no caller sees it.
    """
