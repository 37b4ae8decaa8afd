"""What breaks, on real processes and servers: no accepted job is lost, none is done twice."""
