//! What the command line itself must be allowed on AWS.
