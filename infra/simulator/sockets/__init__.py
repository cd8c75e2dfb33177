"""The WebSocket endpoints: public and private streams, and orders."""
