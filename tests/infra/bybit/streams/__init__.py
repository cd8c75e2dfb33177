"""The streams' supervision without sockets."""
