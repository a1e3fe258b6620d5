//! Holds no code: its manifest says what it is for.
