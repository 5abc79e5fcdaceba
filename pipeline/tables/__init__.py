"""The tables of the documentation that show figures of the published grid."""
