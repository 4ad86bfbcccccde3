//! The mock upstream as a program.
fn main() {}
