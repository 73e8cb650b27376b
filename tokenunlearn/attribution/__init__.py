"""Token attribution: knowledge score by masking, entropy score, importance, selection and weights, score sets."""
