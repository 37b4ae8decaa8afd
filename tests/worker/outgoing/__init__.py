"""Tests of the outgoing client, over real sockets of this machine's."""
