"""Networks: the encoders' builder, decoders, merging of dates."""
