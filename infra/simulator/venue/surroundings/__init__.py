"""What is around the market of this exchange: the other participants, and coins that leave."""
