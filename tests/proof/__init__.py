"""The proofs of docs/PROOF.md: power cuts, broken firmware, fuzzing, line faults, a state machine, a soak."""
