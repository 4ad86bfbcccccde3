//! Takes a request's tokens, and says in its answer what was decided.
