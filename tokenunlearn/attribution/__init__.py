"""Token attribution: knowledge score by masking, entropy, importance, selection and weights, score sets."""
