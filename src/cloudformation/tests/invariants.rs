//! What must hold of every template.
