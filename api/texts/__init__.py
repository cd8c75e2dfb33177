"""The texts that the system composes for people, in other languages than English."""
