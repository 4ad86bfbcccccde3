//! An upstream that misbehaves on request.
