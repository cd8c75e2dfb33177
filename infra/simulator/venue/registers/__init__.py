"""What the venue keeps beside accounts and orders: accounts and keys made by request, insurance, own volume."""
