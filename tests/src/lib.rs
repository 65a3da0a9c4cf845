//! Golden, interop, allocation and end-to-end tests
