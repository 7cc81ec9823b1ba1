//! On a server.
