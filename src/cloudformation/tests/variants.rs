//! Every variant, for cfn-lint.
